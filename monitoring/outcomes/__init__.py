"""What became of predictions: outcomes joined to assessments in the ledger, counted, charted, compared."""

from monitoring.outcomes.count import Count
from monitoring.outcomes.followed import AnotherLedger, Followed, follow
from monitoring.outcomes.performance import Performance, performance, read_performance
from monitoring.outcomes.series import Series

__all__ = [
    "AnotherLedger",
    "Count",
    "Followed",
    "Performance",
    "Series",
    "follow",
    "performance",
    "read_performance",
]
