"""What a caller is told when a request is refused."""

from __future__ import annotations

from app.schemas.documents.shape import Document


class InputErrorDocument(Document):
    """One thing wrong with a request; what was sent is never repeated."""

    pointer: str
    code: str
    detail: str


class ProblemDocument(Document):
    """RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[InputErrorDocument] | None = None
