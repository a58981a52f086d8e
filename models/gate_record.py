"""The gate's decision about one bundle, as it travels with the version and is checked by the service.

Training judges a version and writes what it decided as one tag. Anybody who can edit tags in MLflow
could copy or invent such a tag, so a record is bound to the bundle's digest and sealed with a key of
the installation: moving an alias by hand in MLflow's own page is as safe as `risk-train promote`,
because what is served is what this record says, not where the alias points.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

RECORD_TAG = "gate_record"
PASSED, OVERRIDDEN, FAILED = "passed", "overridden", "failed"
VERDICTS = (PASSED, OVERRIDDEN, FAILED)
SERVE, WARN, REFUSE = "serve", "warn", "refuse"
FORMAT = 1
LONGEST_RECORD = 16_384
SHOWN = ("verdict", "failed", "reason", "rules", "code", "decided_at", "decided_by")

NO_RECORD = "no decision of the gate is recorded for it"
UNREADABLE = "its gate record cannot be read"
OTHER_BUNDLE = "its gate record is about another bundle"
OTHER_KEY = "its gate record is not sealed with a key of this installation"


@dataclass(frozen=True, slots=True)
class GateRecord:
    """What was decided about a bundle, by whom and under which rules.

    Attributes
    ----------
    name, digest : str
        Registered model and bundle that it is about; another version with the same bytes is the
        same model.
    verdict : str
        "passed", "overridden" (a person took the responsibility) or "failed".
    failed : tuple of str
        Rules that did not hold.
    reason : str or None
        Why it was overridden.
    rules, code : str
        SHA-256 of the file of rules, and what applied it.
    decided_at, decided_by : str
        RFC 3339, and the account of the operating system.
    """

    name: str
    digest: str
    verdict: str
    failed: tuple[str, ...]
    reason: str | None
    rules: str
    code: str
    decided_at: str
    decided_by: str

    def sealed(self, key: bytes) -> str:
        """The record as the tag's text, with its seal (HMAC-SHA-256).

        Examples
        --------
        >>> record = GateRecord("a.b", "sha256:0", "passed", (), None, "r", "c", "2026", "me")
        >>> read_record(record.sealed(b"key"), [b"key"]) == record
        True
        """
        content = asdict(self)
        return json.dumps({"format": FORMAT, **content, "seal": _seal(content, key)})


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """What a service does with a version whose gate decision does not hold.

    Attributes
    ----------
    ungated : str
        "serve", "warn" (serve, and say so wherever operators look) or "refuse".
    keys : tuple of bytes
        Seals of any of them are believed.
    """

    ungated: str = SERVE
    keys: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a version stands with the gate.

    Attributes
    ----------
    record : GateRecord or None
        None when there is none that can be believed.
    doubt : str or None
        Why the version counts as ungated; None when it passed or was overridden.
    refused : bool
        Whether the policy keeps it from serving.
    text : str or None
        The tag that was judged.
    """

    record: GateRecord | None = None
    doubt: str | None = NO_RECORD
    refused: bool = False
    text: str | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """As the service shows it; `verdict` is "none" without a record that can be believed."""
        if self.record is None:
            shown: dict[str, Any] = dict.fromkeys(SHOWN)
            return {**shown, "verdict": "none", "failed": [], "doubt": self.doubt}
        content = asdict(self.record)
        shown = {key: content[key] for key in SHOWN}
        return {**shown, "failed": list(self.record.failed), "doubt": self.doubt}

    def said(self) -> dict[str, str]:
        """As a card shows it, label -> words: it was decided after the bundle was closed.

        Examples
        --------
        >>> UNJUDGED.said()
        {'Promotion gate': 'Not gated: no decision of the gate is recorded for it'}
        """
        words = {} if self.doubt is None else {"Promotion gate": f"Not gated: {self.doubt}"}
        if self.record is None:
            return words
        when = f"by {self.record.decided_by} at {self.record.decided_at}"
        if self.record.verdict != OVERRIDDEN:
            told = words.get("Promotion gate", self.record.verdict.capitalize())
            return {"Promotion gate": f"{told}, decided {when}"}
        return {
            "Promotion gate": f"Promoted against the gate {when}",
            "Because": self.record.reason or "no reason was recorded",
            "Rules that did not hold": ", ".join(self.record.failed),
        }


SERVE_ALL = GatePolicy()
UNJUDGED = Standing()


def admission(text: str | None, name: str, digest: str, policy: GatePolicy) -> Standing:
    """Whether a version may serve, from its tag, its bundle's digest and the policy alone.

    Parameters
    ----------
    text : str or None
        Of the tag `gate_record`.
    name, digest : str
        Of the bundle that was read and proven.

    Examples
    --------
    >>> admission(None, "a.b", "sha256:0", GatePolicy("refuse"))
    Standing(record=None, doubt='no decision of the gate is recorded for it', refused=True)
    """
    found = NO_RECORD if text is None else read_record(text, policy.keys)
    record, doubt = (None, found) if isinstance(found, str) else (found, None)
    if record is not None and (record.name, record.digest) != (name, digest):
        record, doubt = None, OTHER_BUNDLE
    if record is not None and record.verdict == FAILED:
        doubt = "the gate did not hold: " + ", ".join(record.failed)
    return Standing(record, doubt, doubt is not None and policy.ungated == REFUSE, text)


def read_record(text: str, keys: Sequence[bytes]) -> GateRecord | str:
    """The record, or why it cannot be believed; it comes from where others can write."""
    try:
        if len(text) > LONGEST_RECORD:
            return UNREADABLE
        content = json.loads(text)
        stated, seal = content.pop("format"), content.pop("seal")
        record = GateRecord(**{**content, "failed": tuple(content["failed"])})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return UNREADABLE
    texts = (record.name, record.digest, record.rules, record.code, record.decided_at,
             record.decided_by, seal, *record.failed)  # fmt: skip
    if stated != FORMAT or record.verdict not in VERDICTS:
        return UNREADABLE
    if not all(isinstance(t, str) for t in texts) or not isinstance(record.reason, str | None):
        return UNREADABLE
    told = seal.encode("utf-8", "surrogatepass")
    if not any(hmac.compare_digest(_seal(asdict(record), key).encode(), told) for key in keys):
        return OTHER_KEY
    return record


def _seal(content: dict[str, Any], key: bytes) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, canonical.encode(), sha256).hexdigest()
