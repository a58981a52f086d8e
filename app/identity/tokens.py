"""Bearer tokens (JWT, RFC 7519) of configured issuers, verified the way RFC 8725 advises.

The order is chosen so that nothing that a token says about itself is acted on before it is matched
with what the operator declared: shape, then issuer, algorithm and `jku` against the tenants file,
then the key by its `kid`, then the signature, and only then the claims.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from jwt.exceptions import InvalidJTIError, InvalidSubjectError

from app.identity.caller import Caller
from app.identity.claims import granted, names, printable, validity
from app.identity.key_set import VerifyingKey
from app.identity.key_sources import KeySource
from app.identity.refusal import Refused
from app.identity.replay import RememberJti
from app.identity.tenants import Issuer, Tenant
from app.identity.verified_tokens import VerifiedToken, VerifiedTokens

# Three base64url parts without padding (RFC 7515 section 2); the signature may be empty, so that
# `alg: none` is refused by its name.
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)
_TYPES = ("jwt", "at+jwt")
_REQUIRED = ["iss", "aud", "exp", "iat", "jti"]
# The times are checked in `claims`, against the clock that was handed in.
_OPTIONS: Any = {
    "require": _REQUIRED,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "enforce_minimum_key_length": True,
}
_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.InvalidSignatureError, "bad_signature"),
    (jwt.InvalidAudienceError, "wrong_audience"),
    (jwt.InvalidAlgorithmError, "algorithm"),
    (jwt.MissingRequiredClaimError, "claims"),
    (jwt.InvalidIssuerError, "claims"),
    (InvalidSubjectError, "claims"),
    (InvalidJTIError, "claims"),
)


class TokenVerifier:
    """Turn a bearer token into a caller.

    Parameters
    ----------
    tenants : mapping of str to Tenant
    keys : mapping of Issuer to KeySource
        One source for each issuer of each tenant.
    remember_jti : RememberJti
        The memory of single-use tokens.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self,
        tenants: Mapping[str, Tenant],
        keys: Mapping[Issuer, KeySource],
        remember_jti: RememberJti,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._remember_jti = remember_jti
        self._clock = clock
        self._verified = VerifiedTokens()
        self._issuers: dict[str, dict[str, tuple[Tenant, Issuer]]] = {}
        for tenant in tenants.values():
            for issuer in tenant.issuers:
                self._issuers.setdefault(issuer.issuer, {})[tenant.id] = tenant, issuer

    async def caller(self, token: str, path: str) -> Caller:
        """Verify a token that came with a request to a path.

        Raises
        ------
        Refused
            With the reason; any malformed token is refused, none fails.
        """
        if not token.isascii():
            raise Refused("malformed")
        known = self._verified.caller(token, path, self._clock())
        if known is not None:
            return known
        header, unverified = _read(token)
        tenant, issuer = self._issuer(unverified)
        key_name = _key_name(header, issuer)
        keys = self._keys[issuer]
        key = await _key(keys, key_name)
        claims = _verify(token, key, issuer, path)
        valid = validity(claims, issuer)
        valid.check(self._clock())
        jti = printable(claims, "jti")
        client, user = names(claims, issuer)
        caller = Caller(client, user, tenant.id, granted(claims, issuer), tenant.branch_points)
        if claims.get("tenant") not in (None, tenant.id):
            raise Refused("tenant")
        if issuer.single_use:
            if not await self._remember_jti(issuer.issuer, str(jti), valid.ends_at):
                raise Refused("replayed")
        else:
            audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
            self._verified.add(
                token,
                VerifiedToken(
                    caller, issuer, valid, frozenset(audiences), keys, key_name, key.thumbprint
                ),
            )
        return caller

    def _issuer(self, unverified: Mapping[str, Any]) -> tuple[Tenant, Issuer]:
        """Whose rules to hold the token against; where `tenant` decides, it must be there."""
        name = unverified.get("iss")
        serving = self._issuers.get(name) if isinstance(name, str) else None
        if serving is None:
            raise Refused("unknown_issuer")
        tenant = printable(unverified, "tenant")
        if len(serving) == 1:
            return next(iter(serving.values()))
        if tenant not in serving:
            raise Refused("tenant_not_named")
        return serving[tenant]


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, of which nothing is verified yet."""
    if not _SHAPE.fullmatch(token):
        raise Refused("malformed")
    try:
        parts = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise Refused("malformed") from None
    return parts["header"], parts["payload"]


def _key_name(header: Mapping[str, Any], issuer: Issuer) -> tuple[str, str]:
    """The `kid` and the algorithm, once the header is one that we follow.

    Extensions (`crit`, RFC 7515 section 4.1.11) and detached payloads (RFC 7797) are not understood
    and so refused; a key inside the header (`jwk`, `x5c`) is never looked at.
    """
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(algorithm, str) or algorithm not in issuer.algorithms:
        raise Refused("algorithm")
    if "crit" in header or "b64" in header:
        raise Refused("header")
    if kind is not None and (not isinstance(kind, str) or kind.lower() not in _TYPES):
        raise Refused("header")
    if "jku" in header and (not isinstance(header["jku"], str) or header["jku"] not in issuer.jku):
        raise Refused("stranger_jku")
    if not isinstance(kid, str):
        raise Refused("unknown_key")
    return kid, algorithm


async def _key(keys: KeySource, name: tuple[str, str]) -> VerifyingKey:
    """The issuer's key; an unknown one may be new, so the issuer is asked once more."""
    key = keys.held().get(name)
    if key is None:
        await keys.renew()
        held = keys.held()
        key = held.get(name)
        if key is None:
            raise Refused("unknown_key" if held else "keys_unavailable")
    return key


def _verify(token: str, key: VerifyingKey, issuer: Issuer, path: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=sorted(issuer.algorithms),
            audience=issuer.audiences_at(path),
            issuer=issuer.issuer,
            options=_OPTIONS,
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        reason = next((word for kind, word in _REASONS if isinstance(error, kind)), "malformed")
        raise Refused(reason) from None
    return claims
