"""From a cohort to a registered, evaluated, gated model version."""
