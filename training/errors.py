"""What can go wrong in training.

TrainingError
├── SourceInvalid      a source mapping or its file is not what was declared
├── FetchFailed        the public cohort could not be brought here, or is not the expected file
├── CohortTooSmall     too few rows or events to fit or evaluate an outcome
├── AdoptionRefused    somebody else's model cannot be taken; the message says why
├── NotTransportable   a model cannot be judged or updated on this cohort
├── PromotionRefused   the gate does not hold; the message names each rule that failed
├── OverrideRefused    a reason that cannot be recorded, or a rule that nobody can answer for
├── RollbackRefused    nothing to go back to, or a version that may not be champion
├── ChampionMoved      somebody else moved the alias meanwhile: what was judged is no longer so
├── GoLiveRefused      the reports do not carry it: the message says what was found and is missing
└── LedgerClosed       the ledger is not there, not ours, or cannot be written now
"""

from __future__ import annotations


class TrainingError(Exception):
    """Root of the errors of training."""


class SourceInvalid(TrainingError):
    """A source mapping or its file is not what was declared."""


class FetchFailed(TrainingError):
    """The public cohort could not be brought here, or is not the expected file."""


class CohortTooSmall(TrainingError):
    """Too few rows or events to fit or evaluate an outcome."""


class AdoptionRefused(TrainingError):
    """Somebody else's model cannot be taken as it is."""


class NotTransportable(TrainingError):
    """A model cannot be judged or updated on this cohort."""


class PromotionRefused(TrainingError):
    """The gate does not hold."""


class OverrideRefused(TrainingError):
    """A reason that cannot be recorded, or a rule that nobody can answer for."""


class RollbackRefused(TrainingError):
    """Nothing to go back to, or a version that may not be champion."""


class ChampionMoved(TrainingError):
    """Somebody else moved the alias while a version was judged against the champion that was."""


class GoLiveRefused(TrainingError):
    """The local validation reports do not carry going live."""


class LedgerClosed(TrainingError):
    """The ledger is not there, is not this installation's, or cannot be written now."""
