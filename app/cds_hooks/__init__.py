"""CDS Hooks 2.0: what is offered, what a call may hold, and the card it is answered with."""

from app.cds_hooks.agreement import NOTHING_AGREED, Agreement
from app.cds_hooks.wording import LANGUAGES

__all__ = ["LANGUAGES", "NOTHING_AGREED", "Agreement"]
