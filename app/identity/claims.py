"""What a verified token says: when it holds, whom it names, what it grants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.identity.refusal import Refused
from app.identity.tenants import Issuer

LONGEST_NAME = 200
# Later than any date that is meant, and small enough for exact arithmetic in a float.
_LATEST = 2**40


@dataclass(frozen=True, slots=True)
class Validity:
    """The seconds since 1970 between which a token holds, clock skew included."""

    begins_at: float
    ends_at: float

    def check(self, now: float) -> None:
        """Refuse a moment outside.

        Raises
        ------
        Refused
            `expired` or `not_yet_valid`.

        Examples
        --------
        >>> Validity(100.0, 200.0).check(199.9)
        >>> Validity(100.0, 200.0).check(200.0)
        Traceback (most recent call last):
        app.identity.refusal.Refused: expired
        """
        if now >= self.ends_at:
            raise Refused("expired")
        if now < self.begins_at:
            raise Refused("not_yet_valid")


def validity(claims: Mapping[str, Any], issuer: Issuer) -> Validity:
    """When a token holds: from `iat` and `nbf` to `exp`, each with the issuer's clock skew.

    Raises
    ------
    Refused
        `claims` for a time that is not a number of seconds, `too_long_lived` over the issuer's
        `longest_life_s`.
    """
    issued_at = _moment(claims, "iat")
    expires_at = _moment(claims, "exp")
    begins_at = max(issued_at, _moment(claims, "nbf")) if "nbf" in claims else issued_at
    if expires_at - issued_at > issuer.longest_life_s:
        raise Refused("too_long_lived")
    return Validity(begins_at - issuer.clock_skew_s, expires_at + issuer.clock_skew_s)


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # `0 < value` is false for NaN, and an integer of any length can be compared before it is made
    # a float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LATEST:
        raise Refused("claims")
    return float(value)


def names(claims: Mapping[str, Any], issuer: Issuer) -> tuple[str, str | None]:
    """The client and the user that a token names.

    OAuth 2 issuers know many clients: `client_id` (RFC 9068) or `azp` (OpenID Connect), else `sub`.
    A CDS Hooks client signs for itself, so there the issuer is the client. `sub` is the user unless
    it is the client again, as in client credentials.

    Returns
    -------
    tuple of str and str or None
        The client as `<name>@<issuer>` or as the issuer, and the user.

    Raises
    ------
    Refused
        `claims` for a name that is no text, is over 200 characters, or holds control characters.
    """
    user = printable(claims, "sub")
    own = printable(claims, "client_id") or printable(claims, "azp")
    if own is None and not issuer.single_use:
        own = user
    client = f"{own}@{issuer.issuer}" if own is not None else issuer.issuer
    if len(client) > LONGEST_NAME:
        raise Refused("claims")
    return client, None if user in (own, issuer.issuer) else user


def printable(claims: Mapping[str, Any], name: str) -> str | None:
    r"""A claim that is stored: bounded, without control characters; None when it is not there.

    Raises
    ------
    Refused
        `claims`.

    Examples
    --------
    >>> printable({"sub": "ward sister"}, "sub"), printable({}, "sub")
    ('ward sister', None)
    >>> printable({"sub": "two\nlines"}, "sub")
    Traceback (most recent call last):
    app.identity.refusal.Refused: claims
    """
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise Refused("claims")
    return value


def granted(claims: Mapping[str, Any], issuer: Issuer) -> frozenset[str]:
    """The scopes of a token: what it claims, at most what its issuer may grant.

    The claim is `scope` (RFC 8693: names with spaces between) or `scp` (text or list); a token with
    neither gets the issuer's `scopes_without_claim`.

    Raises
    ------
    Refused
        `claims` when the claim is neither text nor a list of texts.
    """
    claimed = claims.get("scope", claims.get("scp"))
    if claimed is None:
        return issuer.scopes_without_claim
    if isinstance(claimed, str):
        claimed = re.split(" +", claimed)
    if not isinstance(claimed, list) or not all(isinstance(scope, str) for scope in claimed):
        raise Refused("claims")
    return issuer.scopes.intersection(claimed)
