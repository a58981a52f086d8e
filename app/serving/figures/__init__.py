"""What the ledger says of the models, worked out in processes of its own at the lowest priority.

    ledger --> monitoring.outcomes.process --> outcomes.prom, performance.json (the group's folder)
    ledger --> monitoring.drift_process    --> one answer

Patients are answered by the workers; nothing here takes their processor or their locks.
"""

from app.serving.figures.drift_reading import DriftReading
from app.serving.figures.outcome_following import OutcomeFollowing

__all__ = ["DriftReading", "OutcomeFollowing"]
