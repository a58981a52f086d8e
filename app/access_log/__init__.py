"""Who looked at whom: the identified access log, sealed before it leaves this room.

HSLF-FS 2016:40, chapter 4, section 9: an access log shows what was done, at which care unit or in
which process, when, by whom, and with which patient, is checked on systematically, and is kept for at
least five years. Everywhere else there are pseudonyms only; here the identifiers stand, encrypted
with a key of their own, and only `risk-serve access-log` reads them, giving a reason that is itself
logged.
"""

from app.access_log.reading import Access, LogUnreadable, read_log
from app.access_log.seal import ACTIONS, AccessLog, Actor, Touched

__all__ = ["ACTIONS", "Access", "AccessLog", "Actor", "LogUnreadable", "Touched", "read_log"]
