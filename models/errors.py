"""What can go wrong in the clinical core.

ModelsError
├── ContentInvalid       a TOML row breaks a rule (file, row, rule)
├── MeasurementRefused   a sent value cannot be taken in the dictionary's terms
│   ├── InvalidValue         wrong type, not finite, not a declared category
│   └── UnitNotConvertible   a unit the dictionary has no factor for
├── BundleRefused        a model bundle does not match its manifest or its format
├── RegistryUnreachable  MLflow did not answer
└── ModelNotFound        no such registered model, version or alias

No message holds a patient's value: it names the feature, the rule, and what was expected.
"""

from __future__ import annotations


class ModelsError(Exception):
    """Root of the errors of the clinical core."""


class ContentInvalid(ModelsError):
    """Clinical content breaks a rule; the message names file, row and rule."""

    def __init__(self, file: str, row: str, rule: str) -> None:
        super().__init__(f"{file}: {row}: {rule}")
        self.file, self.row, self.rule = file, row, rule


class MeasurementRefused(ModelsError):
    """A sent value cannot be taken in the dictionary's terms."""


class InvalidValue(MeasurementRefused):
    """The value has the wrong type, is not finite, or is not a declared category."""


class UnitNotConvertible(MeasurementRefused):
    """The dictionary has no factor from the sent unit to the feature's own."""


class BundleRefused(ModelsError):
    """A bundle does not match its manifest, its name or its format."""


class RegistryUnreachable(ModelsError):
    """The model registry did not answer."""


class ModelNotFound(ModelsError):
    """No such registered model, version or alias."""
