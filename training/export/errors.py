"""What can go wrong with an export.

TrainingError
└── ExportRefused     the rows cannot leave: a rule does not hold, or the folder is taken

What is read back and does not verify is a `training.signing.ManifestRefused`.

No message holds a patient's value: it names the file, the feature or the rule.
"""

from __future__ import annotations

from training.errors import TrainingError


class ExportRefused(TrainingError):
    """The rows cannot leave."""
