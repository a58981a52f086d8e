"""Fitting one outcome: candidates, cross-validated choice, calibration, interval, abstention."""
