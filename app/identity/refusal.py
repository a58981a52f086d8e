"""Why a caller was refused: one fixed word for the operator, one general sentence for the caller.

What was wrong with a token helps whoever made it up, so the caller is told only that it was not
accepted. The reason goes to the operator, as the label of a counter; the list of reasons is fixed,
so that the label is bounded.
"""

from __future__ import annotations

from types import MappingProxyType

from app.errors import Problem

_SEND_ONE = "Send `Authorization: Bearer` with a token or an API key."
_NOT_ACCEPTED = "The token or key was not accepted; the operator's metrics say why."
_CHALLENGE = MappingProxyType({"WWW-Authenticate": "Bearer"})

# Reason -> (status, what the caller is told).
_ANSWERS = {
    "missing": (401, _SEND_ONE),
    "scheme": (401, _SEND_ONE),
    "ambiguous": (401, "Send either `Authorization` or `X-API-Key`, not both."),
    "too_large": (401, _NOT_ACCEPTED),
    "malformed": (401, _NOT_ACCEPTED),
    "header": (401, _NOT_ACCEPTED),
    "algorithm": (401, _NOT_ACCEPTED),
    "unknown_issuer": (401, _NOT_ACCEPTED),
    "tenant_not_named": (401, _NOT_ACCEPTED),
    "stranger_jku": (401, _NOT_ACCEPTED),
    "unknown_key": (401, _NOT_ACCEPTED),
    "keys_unavailable": (401, _NOT_ACCEPTED),
    "bad_signature": (401, _NOT_ACCEPTED),
    "wrong_audience": (401, _NOT_ACCEPTED),
    "claims": (401, _NOT_ACCEPTED),
    "expired": (401, _NOT_ACCEPTED),
    "not_yet_valid": (401, _NOT_ACCEPTED),
    "too_long_lived": (401, _NOT_ACCEPTED),
    "replayed": (401, _NOT_ACCEPTED),
    "api_key_unknown": (401, _NOT_ACCEPTED),
    "api_key_expired": (401, _NOT_ACCEPTED),
    "api_key_revoked": (401, _NOT_ACCEPTED),
    "api_key_tenant": (401, _NOT_ACCEPTED),
    "certificate_unknown": (401, _NOT_ACCEPTED),
    "tenant": (403, "The token names a tenant that its issuer does not serve."),
    "scope": (403, "A scope that this needs was not granted."),
    "branch_point": (403, "This branch point is not open to the caller's tenant."),
    "replay_memory_full": (503, "Too many single-use tokens at once; try again shortly."),
}
REASONS = tuple(_ANSWERS)
RETRY_AFTER_S = 30


class Refused(Exception):
    """A caller does not pass; the message is the reason's fixed word, never what was sent."""

    def __init__(self, reason: str, detail: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail

    def problem(self) -> Problem:
        """What the caller is answered.

        Examples
        --------
        >>> answer = Refused("expired").problem()
        >>> answer.status, dict(answer.headers)
        (401, {'WWW-Authenticate': 'Bearer'})
        >>> Refused("scope", "The scope `read` is needed for this.").problem().detail
        'The scope `read` is needed for this.'
        """
        status, told = _ANSWERS[self.reason]
        headers = {503: {"Retry-After": str(RETRY_AFTER_S)}, 401: _CHALLENGE}.get(status, {})
        return Problem(status, self.detail or told, headers=headers)
