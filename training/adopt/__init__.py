"""Bring your own model: a plain LightGBM or scikit-learn model becomes a bundle of this product.

`admit` looks at a registered version without opening what could run code; `prepare_adopted` turns it
into the engine's terms, proves on the cohort that it says what it said before, calibrates, bounds and
evaluates it there, and writes its bundle.
"""

from training.adopt.adopt import Admitted, admit, prepare_adopted

__all__ = ["Admitted", "admit", "prepare_adopted"]
