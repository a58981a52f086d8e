"""Who may ask: tokens, API keys and certificates in, a `Caller` or a problem out."""

from __future__ import annotations

from app.identity.authentication import CERTIFICATE_HEADER, Identity, load_identity
from app.identity.caller import SCOPES, Caller
from app.identity.rate_limit import RateLimit
from app.identity.refusal import REASONS, Refused
from app.identity.replay import InProcessReplayMemory, RememberJti
from app.identity.signed_deliveries import SignedDeliveries, load_deliveries

__all__ = [
    "CERTIFICATE_HEADER",
    "REASONS",
    "SCOPES",
    "Caller",
    "Identity",
    "InProcessReplayMemory",
    "RateLimit",
    "Refused",
    "RememberJti",
    "SignedDeliveries",
    "load_deliveries",
    "load_identity",
]
