"""The card: one assessment in words that fit beside a record. Pure, and the same for the same answer.

Indicator
---------
`critical`  the band `high` of a mortality or complication outcome
`warning`   any other `high`, or an `elevated`
`info`      everything else, abstentions included
Which risk lies in which band stands in the branch point's file; this rule is a product proposal.

The summary names the outcome with the highest band, the first declared of equals. A card never holds
an identifier: the one place where the patient is named, by the FHIR id that the caller sent, is a
suggested resource, and only where the tenant agreed on it.

References
----------
CDS Hooks 2.0, section Card Attributes. GitHub Flavored Markdown, section Tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid5

from app.cds_hooks.agreement import Agreement
from app.cds_hooks.wording import OverrideReason, Words
from app.schemas.statuses import ANSWERED, FALLBACK
from models.tripwire import find_identifiers
from models.vocabulary import BranchPoint, Vocabulary
from models.vocabulary.bands import BAND_NAMES

LONGEST_SUMMARY = 139
MOST_REASONS = 5
MOST_MISSING = 12
BRANCH_POINT_SYSTEM = "urn:x-complication-risk:branch-point"
OVERRIDE_SYSTEM = "urn:x-complication-risk:override-reason"
INFO, WARNING, CRITICAL = INDICATORS = ("info", "warning", "critical")
GRAVE_FAMILIES = ("mortality", "complication")
NO_MODEL = "no_model"

Outcome = Mapping[str, Any]
Notes = Sequence[tuple[str, Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class CardMaker:
    """Writes cards in one language for one branch point."""

    point: BranchPoint
    vocabulary: Vocabulary
    words: Words
    reasons: Sequence[OverrideReason]
    agreement: Agreement
    explains: bool = False

    def card(
        self, answer: Mapping[str, Any], notes: Notes = (), patient: str | None = None
    ) -> dict[str, Any] | None:
        """The card of an answer; None when there is nothing to say because no model is in use.

        Parameters
        ----------
        answer : mapping
            As the REST interface gives it.
        notes : sequence of (code, places)
            What else the reader should know: codes of the wording's `warnings`.
        patient : str, optional
            The FHIR id that was sent; used where the tenant agreed on it.
        """
        outcomes: Sequence[Outcome] = answer["outcomes"]
        told = [outcome for outcome in outcomes if outcome["status"] in (ANSWERED, FALLBACK)]
        if not told and all(outcome["reason"] == NO_MODEL for outcome in outcomes):
            return None
        lead = self._lead(told)
        card: dict[str, Any] = {
            "uuid": answer["assessment_id"],
            "summary": self._summary(lead, outcomes),
            "detail": self._detail(answer, told, lead, notes),
            "indicator": self.indicator(told),
            "source": self._source(lead),
            "overrideReasons": [self._override(reason) for reason in self.reasons],
        }
        if suggestions := self._suggestions(answer, patient):
            card |= {"suggestions": suggestions, "selectionBehavior": "any"}
        if links := [*self._explanation(answer), *self._links(lead)]:
            card["links"] = links
        return card

    def indicator(self, told: Sequence[Outcome]) -> str:
        """How loudly the card speaks."""
        loudest = INFO
        for outcome in told:
            band = outcome.get("band")
            grave = self.vocabulary.outcomes[outcome["outcome"]].family in GRAVE_FAMILIES
            if band == "high" and grave:
                return CRITICAL
            if band in ("elevated", "high"):
                loudest = WARNING
        return loudest

    # -- summary

    def _lead(self, told: Sequence[Outcome]) -> Outcome | None:
        banded = [outcome for outcome in told if outcome.get("band") is not None]
        if banded:
            return max(banded, key=lambda outcome: BAND_NAMES.index(outcome["band"]))
        return told[0] if told else None

    def _summary(self, lead: Outcome | None, outcomes: Sequence[Outcome]) -> str:
        words = self.words
        if lead is None:
            text = words("sentence_abstained", reason=self._why(outcomes[0]))
            return _fitting(text)
        label = words.label(self.vocabulary.outcomes[lead["outcome"]])
        numeric = lead["kind"] != "binary"
        what = label if numeric else words("risk_of", outcome=words.within(label))
        value = self._value(lead)
        if lead["status"] == FALLBACK:
            text = words("sentence_fallback", what=what, value=value, band=self._band(lead))
            return _fitting(text, f"{what} {value}", f"{what[:110]}… {value}")
        lower, upper = self._limits(lead)
        text = words(
            "sentence_numeric" if numeric else "sentence_answered",
            what=what, value=value, lower=lower, upper=upper,
            band=self._band(lead), cohort=self._cohort(lead),
        )  # fmt: skip
        shorter = f"{what} {value} ({lower}–{upper})"
        return _fitting(text, shorter, f"{what} {value}", f"{what[:110]}… {value}")

    def _value(self, outcome: Outcome) -> str:
        if outcome["kind"] == "binary":
            return self.words.percent(outcome["probability"])
        return self.words.measured(outcome["value"], outcome["unit"])

    def _limits(self, outcome: Outcome) -> tuple[str, str]:
        interval, words = outcome["interval"], self.words
        if outcome["kind"] != "binary":
            return words.number(interval["lower"]), words.number(interval["upper"])
        return words.percent(interval["lower"], sign=False), words.percent(interval["upper"])

    def _cohort(self, outcome: Outcome) -> str:
        if outcome["kind"] == "binary":
            return self.words.percent(outcome["cohort_probability"])
        return self.words.measured(outcome["cohort_value"], outcome["unit"])

    def _band(self, outcome: Outcome) -> str:
        band = outcome.get("band")
        return "–" if band is None else self.words.bands[band]

    # -- detail

    def _detail(
        self,
        answer: Mapping[str, Any],
        told: Sequence[Outcome],
        lead: Outcome | None,
        notes: Notes,
    ) -> str:
        words = self.words
        title = getattr(self.point, f"title_{words.language}")
        blocks = [f"**{_plain(title)}**"]
        if any(o.get("model", {}).get("training_data") == "synthetic" for o in told):
            blocks.append(words("synthetic"))
        if told:
            blocks += [self._table(told), *self._level(told)]
        if lines := self._untold([o for o in answer["outcomes"] if o not in told]):
            blocks.append(_listed(words("not_answered"), lines))
        if lead is not None and (lines := self._reasons(lead)):
            label = words.within(words.label(self.vocabulary.outcomes[lead["outcome"]]))
            blocks.append(_listed(words("reasons", outcome=_plain(label)), lines))
        if answer["missing"]:
            blocks.append(f"**{words('missing')}:** {self._some(answer['missing'])}")
        if lines := self._notes(answer["warnings"], notes):
            blocks.append(_listed(words("notes"), lines))
        if models := [o["model"] for o in told if o["status"] == ANSWERED]:
            lines = [words("model", name=m["name"], version=m["version"]) for m in models]
            blocks.append(_listed(words("models"), lines))
        return "\n\n".join([*blocks, words("advice")])

    def _table(self, told: Sequence[Outcome]) -> str:
        words = self.words
        heads = ("head_outcome", "head_risk", "head_interval", "head_cohort", "head_band")
        rows = [tuple(words(head) for head in heads), ("---", "---:", "---:", "---:", "---")]
        for outcome in told:
            label = words.label(self.vocabulary.outcomes[outcome["outcome"]])
            if outcome["status"] == FALLBACK:
                score = outcome["reference"]["title"][words.language]
                label = f"{label} ({words('fallback_mark', score=score)})"
                interval = cohort = "–"
            else:
                interval, cohort = "–".join(self._limits(outcome)), self._cohort(outcome)
            rows.append((label, self._value(outcome), interval, cohort, self._band(outcome)))
        return "\n".join(
            "| " + " | ".join(cell if i == 1 else _plain(cell) for cell in row) + " |"
            for i, row in enumerate(rows)
        )

    def _level(self, told: Sequence[Outcome]) -> list[str]:
        levels = {o["interval"]["level"] for o in told if o["status"] == ANSWERED}
        return [
            self.words("interval_note", level=self.words.percent(level)) for level in sorted(levels)
        ]

    def _reasons(self, lead: Outcome) -> list[str]:
        words, lines = self.words, []
        present = [reason for reason in lead["attributions"] if reason["present"]]
        for reason in present[:MOST_REASONS]:
            contribution = reason["contribution"]
            if contribution == 0.0:
                continue
            number = words.contribution(contribution)
            how_far = words("log_odds", number=number)
            if lead["link"] == "identity":
                how_far = f"{number} {words.unit(lead['unit'])}".rstrip()
            lines.append(
                words(
                    "reason",
                    feature=_plain(words.label(self.vocabulary.features[reason["feature"]])),
                    value=_plain(self._shown(reason)),
                    direction=words("raises" if contribution > 0 else "lowers"),
                    contribution=how_far,
                )
            )
        return lines

    def _shown(self, reason: Mapping[str, Any]) -> str:
        value = reason["value"]
        if isinstance(value, bool):
            return self.words("yes" if value else "no")
        if isinstance(value, str):
            feature = self.vocabulary.features[reason["feature"]]
            return feature.category_label(value, self.words.language)
        return self.words.measured(value, reason["unit"])

    def _untold(self, outcomes: Sequence[Outcome]) -> list[str]:
        """A line for each reason, with the outcomes that have it."""
        by_reason: dict[str, list[str]] = {}
        for outcome in outcomes:
            label = _plain(self.words.label(self.vocabulary.outcomes[outcome["outcome"]]))
            by_reason.setdefault(self._why(outcome), []).append(label)
        return [f"{', '.join(labels)}: {reason}" for reason, labels in by_reason.items()]

    def _why(self, outcome: Outcome) -> str:
        text = self.words.why[outcome["reason"]]
        return text.format(features=self._some(outcome.get("features", ())))

    def _some(self, names: Sequence[str]) -> str:
        labels = [
            _plain(self.words.within(self.words.label(self.vocabulary.features[name])))
            for name in names[:MOST_MISSING]
        ]
        if len(names) > MOST_MISSING:
            labels.append(self.words("and_more", count=str(len(names) - MOST_MISSING)))
        return ", ".join(labels) or "–"

    def _notes(self, warnings: Sequence[Mapping[str, str]], notes: Notes) -> list[str]:
        known = self.words.warnings
        lines = []
        for warning in warnings:
            feature = self.vocabulary.features.get(warning.get("feature", ""))
            label = "" if feature is None else _plain(self.words.label(feature))
            lines.append(known.get(warning["code"], known["set_aside"]).format(feature=label))
        lines += [known[code].format(**places) for code, places in notes]
        return list(dict.fromkeys(lines))

    # -- around it

    def _source(self, lead: Outcome | None) -> dict[str, Any]:
        title = getattr(self.point, f"title_{self.words.language}")
        source: dict[str, Any] = {
            "label": self.words("source"),
            "topic": {"system": BRANCH_POINT_SYSTEM, "code": self.point.id, "display": title},
        }
        if links := self._links(lead):
            source["url"] = links[0]["url"]
        return source

    def _explanation(self, answer: Mapping[str, Any]) -> list[dict[str, str]]:
        """The page of this answer, where there is one and its address can be made."""
        if (base := self.agreement.base_url) is None or not self.explains:
            return []
        url = f"{base}/console/assessments/{answer['assessment_id']}"
        return [{"label": self.words("explanation"), "url": url, "type": "absolute"}]

    def _links(self, lead: Outcome | None) -> list[dict[str, str]]:
        base = self.agreement.base_url
        if base is None or lead is None or lead["status"] != ANSWERED:
            return []
        url = f"{base}/v1/models/{lead['model']['name']}/card"
        return [{"label": self.words("model_card"), "url": url, "type": "absolute"}]

    def _override(self, reason: OverrideReason) -> dict[str, str]:
        display = reason.display[self.words.language]
        return {"code": reason.code, "system": OVERRIDE_SYSTEM, "display": display}

    def may_be_named(self, patient: str) -> bool:
        """By agreement, and never where an EHR has made the FHIR id of a personal number."""
        return self.agreement.patient_references and not find_identifiers(patient)

    def _suggestions(self, answer: Mapping[str, Any], patient: str | None) -> list[dict[str, Any]]:
        actions = {action.id: action for action in self.point.actions}
        suggested = []
        for suggestion in answer["suggestions"]:
            label = self.words.label(actions[suggestion["id"]])
            task: dict[str, Any] = {
                "resourceType": "Task",
                "status": "draft",
                "intent": "proposal",
                "description": label,
            }
            if patient is not None and self.may_be_named(patient):
                task["for"] = {"reference": f"Patient/{patient}"}
            suggested.append(
                {
                    "label": label,
                    "uuid": suggestion_uuid(answer["assessment_id"], suggestion["id"]),
                    "actions": [
                        {"type": "create", "description": self.words("create"), "resource": task}
                    ],
                }
            )
        return suggested


def suggestion_uuid(card: str, action: str) -> str:
    """A suggestion's UUID: the same for the same card and action, so that feedback finds it.

    Examples
    --------
    >>> card = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
    >>> suggestion_uuid(card, "a") == suggestion_uuid(card, "a") != suggestion_uuid(card, "b")
    True
    """
    return str(uuid5(UUID(card), action))


def _fitting(*texts: str) -> str:
    """The first text that is short enough; of none the first, cut."""
    for text in texts:
        if len(text) <= LONGEST_SUMMARY:
            return text
    return texts[0][: LONGEST_SUMMARY - 1] + "…"


def _plain(text: str) -> str:
    """Text that Markdown leaves alone: content may hold what would end a cell or begin a tag."""
    return text.translate(_ESCAPED)


def _listed(head: str, lines: Sequence[str]) -> str:
    return "\n".join([f"**{head}**", "", *(f"- {line}" for line in lines)])


_ESCAPED: Mapping[int, str] = MappingProxyType(
    str.maketrans({sign: f"\\{sign}" for sign in "|*`[]"} | {"<": "&lt;", ">": "&gt;"})
)
