"""File drop: a site without an API hands in a file and gets a file of answers."""

from app.file_drop.drafting import Draft, draft_mapping
from app.file_drop.errors import DropStopped, FileRefused
from app.file_drop.opening import open_installation
from app.file_drop.questions import Wanted
from app.file_drop.scoring import Scored, score_file

__all__ = [
    "Draft",
    "DropStopped",
    "FileRefused",
    "Scored",
    "Wanted",
    "draft_mapping",
    "open_installation",
    "score_file",
]
