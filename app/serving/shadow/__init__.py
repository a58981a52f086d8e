"""Challengers asked beside the champions, where it costs patients nothing.

    ledger --reads--> scoring (a process of its own, at the lowest priority) --rows--> watch --> ledger

What was answered is in the ledger, so a challenger is asked about it there: nothing of this is on the
way of a request, and a challenger that hangs, crashes or is slow has only its own process to spoil.
"""

from app.serving.shadow.challengers import Challengers
from app.serving.shadow.watch import ChallengerRow, Shadow

__all__ = ["ChallengerRow", "Challengers", "Shadow"]
