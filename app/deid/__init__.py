"""Where identifiers stop: what comes out of here holds dictionary measurements and pseudonyms only."""

from app.deid.policy import POLICY, POLICY_VERSION, Policy, policy_digest
from app.deid.pseudonym import EPISODE, SUBJECT, Pseudonymiser, is_pseudonym, normalise
from app.deid.scrub import Deidentified, IdentifierFound, scrub, stored_inputs

__all__ = [
    "EPISODE",
    "POLICY",
    "POLICY_VERSION",
    "SUBJECT",
    "Deidentified",
    "IdentifierFound",
    "Policy",
    "Pseudonymiser",
    "is_pseudonym",
    "normalise",
    "policy_digest",
    "scrub",
    "stored_inputs",
]
