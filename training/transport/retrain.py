"""A challenger from the ledger: what was asked and what was reported, through the same pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.vocabulary import Vocabulary, restored, settle
from monitoring.ledger.matured import Matured
from training.errors import CohortTooSmall
from training.fit.plan import Plan
from training.pipeline import Prepared, prepare_outcome
from training.rows import Cohort
from training.sources.source import LabelRule, Mapped, Source

HELD_OUT_EVERY = 4
# Below it, those without a report may well differ from those with one; product proposal.
GOOD_COVERAGE = 0.8
STALE = "changed_since"
GROUPS: dict[str, tuple[float, ...]] = {"sex": (), "age": (45.0, 65.0, 80.0)}


@dataclass(frozen=True, slots=True)
class LedgerCohort:
    """Rows of the ledger as a cohort.

    Attributes
    ----------
    matured : int
        Assessments whose horizon has passed, reported or not.
    coverage : float
        Share of them with a report.
    first_us, last_us : int
        Index times of the first and the last that was reported.
    """

    cohort: Cohort
    matured: int
    coverage: float
    first_us: int
    last_us: int


def ledger_cohort(
    rows: Sequence[Matured], branch_point: str, outcome: str, vocabulary: Vocabulary, *, real: bool
) -> LedgerCohort:
    """Encode matured assessments as the service encoded them; unreported ones are left out.

    Patients are told apart by a hash of their pseudonym, which also decides who is held out, so that a
    patient stays on one side from one retraining to the next.

    Raises
    ------
    CohortTooSmall
        When nothing was reported.
    """
    point = vocabulary.branch_points[branch_point]
    known = [row for row in rows if row.value is not None]
    if not known:
        raise CohortTooSmall(
            f"{outcome}: of {len(rows)} assessments whose horizon has passed none has an outcome "
            "reported; POST /v1/outcomes or a file drop of outcomes comes first"
        )
    X = np.full((len(known), len(point.features)), np.nan)
    set_aside: dict[tuple[str, str], int] = {}
    for i, row in enumerate(known):
        taken, changed = restored(row.inputs, vocabulary.features)
        for name in changed:
            set_aside[name, STALE] = set_aside.get((name, STALE), 0) + 1
        values = settle(taken, point, vocabulary.features).values
        X[i] = [values.get(name, np.nan) for name in point.features]
    patients = np.array([patient_number(row.whose) for row in known], dtype=np.int64)
    times = [row.index_time_us for row in known]
    # The held-out rule takes away one patient in four, so a column that is empty goes first.
    columns = [i for i in range(X.shape[1]) if not np.isnan(X[:, i]).all()]
    features = tuple(point.features[i] for i in columns)
    cohort = Cohort(
        source=_source(branch_point, outcome, features, vocabulary, times, real=real),
        features=features,
        X=X[:, columns],
        labels={outcome: np.array([row.value for row in known], dtype=np.float64)},
        comparators={},
        held_out=patients % HELD_OUT_EVERY == 0,
        set_aside=set_aside,
        patients=patients,
    )
    return LedgerCohort(cohort, len(rows), len(known) / len(rows), min(times), max(times))


def patient_number(pseudonym: str) -> int:
    """A number that stands for a pseudonym and does not lead back to it by counting.

    Examples
    --------
    >>> patient_number("1.aa") == patient_number("1.aa"), patient_number("1.aa") < 2**62
    (True, True)
    """
    return int.from_bytes(hashlib.sha256(pseudonym.encode()).digest()[:8], "big") >> 2


def retrain(
    found: LedgerCohort,
    outcome: str,
    vocabulary: Vocabulary,
    folder: Path,
    *,
    champion: str | None,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> Prepared:
    """Fit, evaluate and write a challenger candidate; no alias is asked for.

    Parameters
    ----------
    champion : str or None
        Version that is served now; stands in the lineage.

    Raises
    ------
    CohortTooSmall
        When the ledger cannot carry the outcome.
    """
    prepared = prepare_outcome(
        found.cohort, outcome, vocabulary, folder, seed=seed, progress=progress
    )
    tags = {
        "candidate": "challenger",
        "retrained_beside_version": champion or "none",
        "ledger_rows": str(len(found.cohort.X)),
        "ledger_matured": str(found.matured),
        "ledger_coverage": f"{found.coverage:.3f}",
        "ledger_from_month": _month(found.first_us),
        "ledger_until_month": _month(found.last_us),
    }
    # A fingerprint is of a file's bytes; a ledger grows.
    kept = {key: value for key, value in prepared.run.tags.items() if value}
    return replace(prepared, run=replace(prepared.run, tags={**kept, **tags}))


def _month(us: int) -> str:
    return str(np.datetime64(us, "us").astype("datetime64[M]"))


def _source(
    branch_point: str,
    outcome: str,
    features: Sequence[str],
    vocabulary: Vocabulary,
    times: Sequence[int],
    *,
    real: bool,
) -> Source:
    rule = "number" if vocabulary.outcomes[outcome].kind == "numeric" else "flag"
    return Source(
        name="ledger",
        title=f"This site's own ledger, {_month(min(times))} to {_month(max(times))}",
        citation="Assessments of this service and outcomes reported to it, under care that saw its "
        "answers: what was prevented because of them stands here as not having happened.",
        licence="the site's own patients; it does not leave the site",
        training_data="real" if real else "synthetic",
        branch_point=branch_point,
        row_id=None,
        divisible_by=HELD_OUT_EVERY,
        fetch=None,
        measurements=tuple(Mapped(name, name, None, None) for name in features),
        labels=(LabelRule(outcome, rule, {rule: outcome}),),
        comparators=(),
        groups={name: limits for name, limits in GROUPS.items() if name in features},
        patient_id="patient",
        plan=Plan(),
    )
