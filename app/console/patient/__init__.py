"""Trying a patient: what would be answered to values that somebody types."""
