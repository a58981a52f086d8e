"""From a vector of inputs to an explained, calibrated risk: pure functions over plain numbers."""
