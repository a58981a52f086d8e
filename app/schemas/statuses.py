"""The words in which an answer says what it is: one spelling for every way in and out.

An outcome is answered by its model, by a published score in its place (fallback), or not at all
(abstained). A whole answer is answered, partial, abstained, or silent: worked out, recorded, not told.
"""

from __future__ import annotations

ANSWERED, FALLBACK, ABSTAINED = "answered", "fallback", "abstained"
PARTIAL, SILENT = "partial", "silent"
WHOLE_ANSWER = (ANSWERED, PARTIAL, ABSTAINED, SILENT)
