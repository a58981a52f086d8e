"""What can go wrong with an export.

TrainingError
├── ExportRefused     the rows cannot leave: a rule does not hold, or the folder is taken
└── ManifestRefused   a data set is not what its manifest says, or nobody trusted signed it

No message holds a patient's value: it names the file, the feature or the rule.
"""

from __future__ import annotations

from training.errors import TrainingError


class ExportRefused(TrainingError):
    """The rows cannot leave."""


class ManifestRefused(TrainingError):
    """A data set does not match its manifest, or no trusted exporter signed it."""
