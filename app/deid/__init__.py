"""Where identifiers stop: what comes out of here holds dictionary measurements and nothing else."""

from app.deid.scrub import POLICY_VERSION, Deidentified, scrub

__all__ = ["POLICY_VERSION", "Deidentified", "scrub"]
