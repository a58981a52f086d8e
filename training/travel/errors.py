"""What can go wrong with a pack.

TrainingError
└── PackRefused   the file is not a pack in its one form, or holds something else than was signed

A manifest that does not verify is a `training.signing.ManifestRefused`, a bundle that does not prove
itself a `models.errors.BundleRefused`.
"""

from __future__ import annotations

from training.errors import TrainingError


class PackRefused(TrainingError):
    """A pack cannot be made, or a file is none."""
