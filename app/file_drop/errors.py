"""Why a file as a whole cannot be scored or read; what is wrong with one row is a `Problem`."""

from __future__ import annotations

from app.errors import AppError


class FileRefused(AppError):
    """A file, its mapping or its answers cannot be used; the message says what was expected."""


class DropStopped(AppError):
    """Scoring stopped before the end; the same command goes on where it was."""
