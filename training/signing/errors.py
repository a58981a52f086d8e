"""What can go wrong with a signature.

TrainingError
├── SigningRefused    this installation's keys cannot be used
└── ManifestRefused   a signed thing is not what its manifest says, or nobody trusted signed it
"""

from __future__ import annotations

from training.errors import TrainingError


class SigningRefused(TrainingError):
    """The keys of this installation cannot be used."""


class ManifestRefused(TrainingError):
    """Something does not match its manifest, or nobody trusted signed it."""
