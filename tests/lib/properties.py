"""How the property tests search: the same examples on every machine, nothing kept between runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

# Caches belong to the machine, not to the working tree, where pytest would try to collect them.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")

LAW = settings(max_examples=60, deadline=None, derandomize=True, database=None)
HEAVY_LAW = settings(max_examples=15, deadline=None, derandomize=True, database=None)
