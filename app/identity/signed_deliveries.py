"""Deliveries that MLflow signed: its webhooks name no caller, they prove that they know a secret.

MLflow follows the Standard Webhooks conventions with headers of its own: HMAC-SHA256 with the
webhook's secret over `delivery id . timestamp . body`, in Base64, after `v1,`.

References
----------
MLflow 3.17, `mlflow/webhooks/delivery.py`; https://www.standardwebhooks.com
"""

from __future__ import annotations

import base64
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

from app.errors import StartRefused
from app.identity.refusal import Refused
from app.identity.watched_file import WatchedFile

SIGNATURE = "x-mlflow-signature"
TIMESTAMP = "x-mlflow-timestamp"
DELIVERY_ID = "x-mlflow-delivery-id"
VERSION = "v1"
WINDOW_S = 300
"""How far a delivery's time may be from ours: MLflow's retries take up to some three minutes."""
SHORTEST_SECRET = 16
LONGEST_HEADER = 200
MOST_REMEMBERED = 10_000
_TOLD = "The delivery was not accepted; the operator's metrics say why."


class SecretInvalid(Exception):
    """The secret's file holds no secret that could keep anybody out."""


def signature_of(secret: bytes, delivery_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a delivery, as its header holds it.

    Examples
    --------
    >>> signature_of(b"0123456789abcdef", "d1", "1795000000", b"{}")[:3]
    'v1,'
    """
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return f"{VERSION},{base64.b64encode(hmac.digest(secret, signed, 'sha256')).decode()}"


class SignedDeliveries:
    """Lets deliveries pass that were signed with the secret, each once.

    Parameters
    ----------
    secret : callable
        The secret as it is now.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self, secret: Callable[[], bytes], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()

    def accept(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether a delivery is new; one that came before passes, and is to change nothing.

        Parameters
        ----------
        headers : mapping
            Of the request, names in lower case.

        Raises
        ------
        Refused
            `missing`, `malformed`, `bad_signature`, `expired`, `not_yet_valid`.
        """
        given = [headers.get(name) for name in (SIGNATURE, TIMESTAMP, DELIVERY_ID)]
        signature, timestamp, delivery_id = given
        if signature is None or timestamp is None or delivery_id is None:
            raise Refused("missing", "A delivery signed by MLflow was expected.")
        if max(map(len, (signature, timestamp, delivery_id))) > LONGEST_HEADER:
            raise Refused("malformed", _TOLD)
        if not (timestamp.isascii() and timestamp.isdigit() and "." not in delivery_id):
            raise Refused("malformed", _TOLD)
        expected = signature_of(self._secret(), delivery_id, timestamp, body)
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            raise Refused("bad_signature", _TOLD)
        now = self._clock()
        age_s = now - int(timestamp)
        if age_s > WINDOW_S:
            raise Refused("expired", _TOLD)
        if age_s < -WINDOW_S:
            raise Refused("not_yet_valid", _TOLD)
        return self._is_new(delivery_id, now)

    def _is_new(self, delivery_id: str, now: float) -> bool:
        """Only what was signed gets here, so that a stranger cannot fill the memory."""
        while self._seen:
            oldest, at = next(iter(self._seen.items()))
            if at > now - 2 * WINDOW_S and len(self._seen) < MOST_REMEMBERED:
                break
            del self._seen[oldest]
        if delivery_id in self._seen:
            return False
        self._seen[delivery_id] = now
        return True


def load_deliveries(secret_file: Path | None) -> SignedDeliveries | None:
    """The receiver's check; None where no secret is set. A changed file holds within a second.

    Raises
    ------
    StartRefused
        When the file cannot be read or holds no fit secret.
    """
    if secret_file is None:
        return None
    try:
        watched = WatchedFile(secret_file, _read_secret, (SecretInvalid,))
    except SecretInvalid as fault:
        raise StartRefused(f"{secret_file.name}: {fault}") from None
    except OSError as fault:
        raise StartRefused(f"{secret_file.name}: cannot be read: {fault.strerror}") from None
    return SignedDeliveries(watched.content)


def _read_secret(path: Path) -> bytes:
    secret = path.read_bytes().strip()
    if len(secret) < SHORTEST_SECRET:
        raise SecretInvalid(f"expected a line of at least {SHORTEST_SECRET} characters")
    return secret
