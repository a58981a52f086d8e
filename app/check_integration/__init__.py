"""An EHR in small that tries out a running service over HTTP, as an integrator has it."""

from app.check_integration.findings import FAILED, Finding, Report
from app.check_integration.running import Plan, check_integration

__all__ = ["FAILED", "Finding", "Plan", "Report", "check_integration"]
