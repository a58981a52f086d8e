"""The pathway cohort where none was given: simulated once into the state folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from training.errors import FetchFailed
from training.sources.pathway_source import PathwaySource


def simulated(
    source: PathwaySource, directory: Path, progress: Callable[[float], None] = lambda _: None
) -> Path:
    """The folder with one file per branch point, made when it is not there; complete or not at all.

    Parameters
    ----------
    progress : callable
        Told the share that each step completes; the shares sum to 1.

    Raises
    ------
    FetchFailed
        When the source says of no simulation.
    """
    wanted = source.simulation
    if wanted is None:
        raise FetchFailed(f"`{source.name}` is not simulated; give its folder with --from FOLDER")
    folder = directory / source.name
    if folder.is_dir():
        progress(1.0)
        return folder
    # Here, so that a command line that simulates nothing does not wait for the generator.
    from training.pathway import load_parameters
    from training.pathway.write import write_cohort

    directory.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=directory, prefix=".partial-"))
    try:
        write_cohort(
            load_parameters(), wanted.seed, wanted.episodes, partial,
            lambda count: progress(count / wanted.episodes),
        )  # fmt: skip
        partial.chmod(0o755)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
