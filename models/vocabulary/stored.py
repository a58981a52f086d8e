"""Inputs as the ledger keeps them, back in the dictionary's terms."""

from __future__ import annotations

import json
from collections.abc import Mapping

from models.errors import MeasurementRefused
from models.vocabulary.features import Feature
from models.vocabulary.measurement import Measurement, take


def restored(
    inputs: str, features: Mapping[str, Feature]
) -> tuple[list[Measurement], tuple[str, ...]]:
    """Read stored inputs in today's dictionary.

    Parameters
    ----------
    inputs : str
        JSON: feature name to `{"value": …}`, the value as the dictionary shows it.

    Returns
    -------
    measurements : list of Measurement
        Without an age: only what could be trusted when it was asked about is stored.
    changed : tuple of str
        Names that the dictionary no longer has, or whose value it no longer takes.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> taken, changed = restored(
    ...     '{"age":{"value":71.0},"sex":{"value":"male"},"humours":{"value":4.0}}',
    ...     load_vocabulary().features,
    ... )
    >>> [(one.feature.name, one.value) for one in taken], changed
    ([('age', 71.0), ('sex', 1.0)], ('humours',))
    """
    taken, changed = [], []
    for name, stored in json.loads(inputs).items():
        feature = features.get(name)
        try:
            if feature is None:
                changed.append(name)
            else:
                taken.append(Measurement(feature, take(feature, stored["value"])))
        except MeasurementRefused:
            changed.append(name)
    return taken, tuple(changed)
