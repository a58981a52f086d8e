"""De-identification by allowlist: only what a rule of the policy names passes, as the rule says.

Identifiers end here. What comes out holds dictionary measurements without dates, pseudonyms, and
declared names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import orjson

from app.deid.policy import MINUTES_PER_YEAR
from app.deid.pseudonym import EPISODE, SUBJECT, Pseudonymiser
from app.errors import AppError
from app.schemas.assessment_request import SET_ASIDE, AssessmentRequest
from models.tripwire import find_identifiers
from models.vocabulary import Measurement
from models.vocabulary.coarsening import SIGNIFICANT_DIGITS

MINUTES_EXACT_BELOW = 10**SIGNIFICANT_DIGITS


class IdentifierFound(AppError):
    """The tripwire saw an identifier in what would be stored; nothing was stored.

    Attributes
    ----------
    kinds : tuple of str
        Kinds of identifiers, for counting; never where or what.
    """

    def __init__(self, kinds: tuple[str, ...]) -> None:
        super().__init__("an identifier was found behind the de-identification; nothing is stored")
        self.kinds = kinds


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A request without identifiers.

    Attributes
    ----------
    index_time : datetime
        UTC, whole seconds.
    unit : str or None
        A declared care unit.
    undeclared_unit : bool
        Whether a unit was sent that is not declared; it is not kept.
    protected : bool
        Protected identity: no pseudonym, no unit, never exported.
    subject_id, episode_id : str or None
        Keyed pseudonyms.
    set_aside : tuple of (feature name, reason)
        What could not be taken at all; declared reasons only, no values.
    """

    index_time: datetime
    measurements: tuple[Measurement, ...]
    outcomes: tuple[str, ...]
    include: tuple[str, ...]
    unit: str | None
    undeclared_unit: bool
    protected: bool = False
    subject_id: str | None = None
    episode_id: str | None = None
    set_aside: tuple[tuple[str, str], ...] = ()


def scrub(
    request: AssessmentRequest,
    *,
    tenant: str,
    care_units: Collection[str],
    now: datetime,
    pseudonymiser: Pseudonymiser,
) -> Deidentified:
    """De-identify a parsed request.

    Parameters
    ----------
    tenant : str
        Whose patient it is; a part of the pseudonyms.
    care_units : collection of str
        The units this tenant has declared.
    now : datetime
        In UTC; the index time of a request that names none.

    Returns
    -------
    Deidentified
        Values that will be set aside are still among the measurements, coarsened; neither
        `stored_inputs` nor an answer holds them.
    """
    index_time = request.index_time or now.replace(microsecond=0)
    protected = request.protected_identity
    declared = request.unit if request.unit in care_units else None
    subject_id = episode_id = None
    if not protected:
        subject_id = pseudonymiser.newest(SUBJECT, tenant, request.subject or "")
        episode_id = pseudonymiser.newest(EPISODE, tenant, request.episode or "")
    return Deidentified(
        index_time=index_time,
        measurements=_without_dates(request, index_time),
        outcomes=request.outcomes,
        include=request.include,
        unit=None if protected else declared,
        undeclared_unit=request.unit is not None and declared is None,
        protected=protected,
        subject_id=subject_id,
        episode_id=episode_id,
        set_aside=tuple(pair for pair in request.set_aside if pair[1] in SET_ASIDE),
    )


def _without_dates(request: AssessmentRequest, index_time: datetime) -> tuple[Measurement, ...]:
    if not request.times:
        return request.measurements
    taken_at = request.times
    return tuple(
        measurement._replace(age_s=int((index_time - taken_at[name]).total_seconds()))
        if (name := measurement.feature.name) in taken_at
        else measurement
        for measurement in request.measurements
    )


def stored_inputs(used: Iterable[Measurement]) -> str:
    """Inputs as they are stored: what was used, in the reader's terms, without a date.

    Parameters
    ----------
    used : iterable of Measurement
        What `models.vocabulary.settle` let through; never codes or what was set aside.

    Returns
    -------
    str
        JSON: feature name to `{"value": …, "minutes_before": …}`, the latter only when a time was
        sent.

    Raises
    ------
    IdentifierFound
        When the tripwire sees an identifier in it: the rules have failed, nothing may be stored.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> stored_inputs([Measurement(load_vocabulary().features["age"], 71.0, 90)])
    '{"age":{"value":71.0,"minutes_before":1}}'
    """
    text = orjson.dumps(
        {
            feature.name: {"value": feature.show(value)}
            if age_s is None
            else {"value": feature.show(value), "minutes_before": minutes_before(age_s)}
            for feature, value, age_s in used
        }
    ).decode()
    found = find_identifiers(text)
    if found:
        raise IdentifierFound(tuple(sorted({finding.kind for finding in found})))
    return text


def minutes_before(age_s: int) -> int:
    """Whole minutes before the index time, to four significant digits, a year at most.

    A value of four digits and its minutes then cannot carry ten digits together.

    Examples
    --------
    >>> minutes_before(3599), minutes_before(500_907 * 60), minutes_before(10**9)
    (59, 500900, 525600)
    """
    minutes = min(age_s // 60, MINUTES_PER_YEAR)
    if minutes < MINUTES_EXACT_BELOW:
        return minutes
    step = int(10.0 ** (len(str(minutes)) - SIGNIFICANT_DIGITS))
    return minutes // step * step
