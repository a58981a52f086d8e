"""How exact a number may be: four significant digits, and the oldest ages told as one.

Serving and training take every number through here, so no model learns from what serving cannot see.
"""

from __future__ import annotations

import math

from models.vocabulary.features import Feature

# No clinical measurement needs a fifth digit, and without one two numeric fields together cannot
# carry the ten digits of a Swedish personal number.
SIGNIFICANT_DIGITS = 4
EXACT_BELOW = 10.0**SIGNIFICANT_DIGITS
FORM = f".{SIGNIFICANT_DIGITS}g"


def coarsen(feature: Feature, number: float) -> float:
    """Round to four significant digits and top-code; what is implausible stays implausible.

    Parameters
    ----------
    feature : Feature
        A feature of kind `number`.
    number : float
        In the feature's own unit.

    Returns
    -------
    float
        Top-coded where the dictionary says so. A number outside the plausible range that rounding
        would carry into it comes back just outside the limit; a fraction of something that only
        exists whole stays a fraction.

    References
    ----------
    Ages over 89 are told as one: 45 CFR 164.514(b)(2)(i)(C), HIPAA Safe Harbor.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> features = load_vocabulary().features
    >>> coarsen(features["creatinine"], 167.96)
    168.0
    >>> coarsen(features["age"], 89.0), coarsen(features["age"], 97.0)
    (89.0, 90.0)
    """
    plausible = feature.plausible
    top_code = feature.top_code
    if top_code is not None and plausible is not None and top_code - 1 < number <= plausible[1]:
        return top_code
    if number.is_integer() and -EXACT_BELOW < number < EXACT_BELOW:
        return number
    coarse = float(format(number, FORM))
    if plausible is None or coarse == number:
        return coarse
    if feature.integer and not number.is_integer() and coarse.is_integer():
        return coarse + 0.5
    lowest, highest = plausible
    if number < lowest:
        return coarse if coarse < lowest else math.nextafter(lowest, -math.inf)
    if number > highest:
        return coarse if coarse > highest else math.nextafter(highest, math.inf)
    if coarse < lowest:
        return lowest
    return highest if coarse > highest else coarse
