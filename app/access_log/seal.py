"""One line of the access log, sealed: AES-256-GCM with a key that is used for nothing else."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from monitoring.keyring import ACCESS_LOG, Keyring
from monitoring.ledger import Access as SealedAccess

NONCE_BYTES = 12
ASSESS, READ_ASSESSMENT, READ_EPISODE, RECORD_OUTCOME, RECORD_FEEDBACK, READ_LOG, RELINK = (
    ACTIONS
) = (
    "assess",
    "read_assessment",
    "read_episode",
    "record_outcome",
    "record_feedback",
    "read_access_log",
    "relink_pseudonyms",
)


class Actor(Protocol):
    """Who did it."""

    @property
    def client(self) -> str: ...
    @property
    def user(self) -> str | None: ...
    @property
    def tenant(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Touched:
    """What was done, with whose data.

    Attributes
    ----------
    patient, episode, unit : str or None
        As they were sent: this is the one place that keeps them, sealed.
    reason : str or None
        Why the log itself was read.
    protected : bool
        Protected identity: no pseudonym is ever made of this line.
    """

    action: str
    patient: str | None = field(default=None, repr=False)
    episode: str | None = field(default=None, repr=False)
    unit: str | None = field(default=None, repr=False)
    branch_point: str | None = None
    assessment_id: str | None = None
    episode_id: str | None = None
    reason: str | None = field(default=None, repr=False)
    protected: bool = False


class AccessLog:
    """Seals lines with the newest key and opens them with the key they were sealed with."""

    def __init__(self, keyring: Keyring) -> None:
        self._newest = keyring.newest(ACCESS_LOG).version
        self._ciphers = {key.version: AESGCM(key.secret) for key in keyring.every(ACCESS_LOG)}

    def seal(
        self, recorded_at_us: int, actor: Actor, touched: Touched, subject_id: str | None = None
    ) -> SealedAccess:
        """A line as the ledger keeps it.

        Parameters
        ----------
        subject_id : str, optional
            The patient's pseudonym, by which a patient's extract finds the line.
        """
        line = {
            "client": actor.client,
            "user": actor.user,
            "tenant": actor.tenant,
            "action": touched.action,
            "patient": touched.patient,
            "episode": touched.episode,
            "unit": touched.unit,
            "branch_point": touched.branch_point,
            "assessment_id": touched.assessment_id,
            "episode_id": touched.episode_id,
            "reason": touched.reason,
            "protected": touched.protected or None,
        }
        text = _as_json({name: value for name, value in line.items() if value is not None})
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(
            nonce, text, _bound_to(recorded_at_us, self._newest)
        )
        return SealedAccess(recorded_at_us, subject_id, self._newest, nonce + sealed)

    def open(self, recorded_at_us: int, key_version: int, sealed: bytes) -> dict[str, Any] | None:
        """The line again; None when it was sealed with another key, or for another time."""
        cipher = self._ciphers.get(key_version)
        if cipher is None:
            return None
        try:
            text = cipher.decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(recorded_at_us, key_version)
            )
        except InvalidTag:
            return None
        line: dict[str, Any] = json.loads(text)
        return line


def _as_json(line: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(line)
    except TypeError:  # half a character, which JSON can carry and UTF-8 cannot
        return json.dumps(line).encode()


def _bound_to(recorded_at_us: int, key_version: int) -> bytes:
    """What a sealed line cannot be moved away from."""
    return b"access-log:%d:%d" % (key_version, recorded_at_us)
