"""From what a command was told to cohorts that can be read: sources, files, folders, exports."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from models.vocabulary import Vocabulary
from monitoring.keyring import FILE_NAME
from training.cohort import Readable
from training.commands.options import progress
from training.errors import SourceInvalid
from training.export import admit
from training.signing import trusted_keys
from training.sources.fetch import fetch
from training.sources.pathway_source import PathwaySource, load_declared
from training.sources.simulated import simulated
from training.sources.source import Source, every_source_name, load_source


def outcomes_of(source: Source, named: Sequence[str] | None, *, everywhere: bool) -> list[str]:
    """Outcomes of a source, or those of them that were named.

    Parameters
    ----------
    everywhere : bool
        An outcome may be named that this source has not: another branch point may have it.

    Raises
    ------
    SourceInvalid
        When one is named that the source has not.
    """
    outcomes = [label.outcome for label in source.labels]
    unknown = set(named or ()) - set(outcomes)
    # Under --all an outcome may be declared at some branch points only.
    if unknown and not everywhere:
        raise SourceInvalid(
            f"{source.name} has no outcome {', '.join(sorted(unknown))}; "
            f"it has {', '.join(outcomes)}"
        )
    return [name for name in outcomes if not named or name in named]


def source_of(branch_point: str | None, source: str | None, vocabulary: Vocabulary) -> str:
    """Name of the source for a branch point: the one given, or the one that feeds it.

    Raises
    ------
    SourceInvalid
        When there is no such branch point, or nothing feeds it.
    """
    if branch_point is None:
        if source is None:
            raise SourceInvalid("--all needs a --source")
        return source
    if branch_point not in vocabulary.branch_points:
        known = ", ".join(vocabulary.branch_points)
        raise SourceInvalid(f"no branch point `{branch_point}`; known: {known}")
    if source is not None:
        return source
    feeding = {
        name: several is None
        for name in every_source_name()
        if branch_point
        in (
            {load_source(name, vocabulary).branch_point}
            if (several := load_declared(name, vocabulary)) is None
            else several.outcomes
        )
    }
    # Real patients before simulated ones.
    for name in sorted(feeding, key=lambda name: not feeding[name]):
        return name
    raise no_source(branch_point)


def several_of(name: str, vocabulary: Vocabulary) -> PathwaySource | None:
    """The source, if it feeds several branch points; None for any other, or an export's folder."""
    return None if Path(name).is_dir() else load_declared(name, vocabulary)


def opened_at(
    several: PathwaySource,
    points: Sequence[str],
    given: Path | None,
    vocabulary: Vocabulary,
    var: Path,
) -> list[tuple[Source, Readable]]:
    """Mapping and file of some branch points of a source that feeds several.

    Raises
    ------
    SourceInvalid
        When it does not feed one of them, or a file is not as declared.
    """
    for point in points:
        several.file(Path(), point)  # refused before anything is simulated
    folder = folder_of(several, given, var)
    return [(several.at(p, folder, vocabulary), several.file(folder, p)) for p in points]


def folder_of(several: PathwaySource, given: Path | None, var: Path) -> Path:
    """The folder that was given, or the one below `var` where the cohort is simulated once."""
    if given is not None:
        return given
    with progress() as bars:
        task = bars.add_task(f"simulating {several.name}", total=1)
        return simulated(several, var / "cohorts", partial(bars.advance, task))


def no_source(branch_point: str) -> SourceInvalid:
    """What to say where nothing feeds a branch point."""
    return SourceInvalid(
        f"no source feeds `{branch_point}`; see `risk-train sources`, or give --source FILE.toml"
    )


def admitted(
    name: str,
    file: Path | None,
    vocabulary: Vocabulary,
    var: Path,
    keys: Path | None,
    trusted: list[Path] | None,
) -> tuple[Source, Readable | None]:
    """The source of a single file, or an export whose manifest verifies."""
    return admit(
        name, file, vocabulary, lambda: trusted_keys(keys or var / FILE_NAME, var, trusted or ())
    )


def file_of(source: Source, given: Readable | None, var: Path) -> Readable:
    """The file that was given, or the public one, fetched once."""
    return given if given is not None else fetch(source, var / "cohorts")


def cohort_at(
    branch_point: str,
    source: str | None,
    given: Path | None,
    named: Sequence[str] | None,
    *,
    vocabulary: Vocabulary,
    var: Path,
    keys: Path | None,
    trusted: list[Path] | None,
) -> tuple[Source, Readable, list[str]]:
    """Mapping, file and outcomes of one branch point, from what a command was told.

    Raises
    ------
    SourceInvalid
        When nothing feeds the branch point, or an outcome is named that the source has not.
    """
    name = source_of(branch_point, source, vocabulary)
    several = several_of(name, vocabulary)
    if several is not None:
        [(mapping, readable)] = opened_at(several, [branch_point], given, vocabulary, var)
        return mapping, readable, outcomes_of(mapping, named, everywhere=False)
    mapping, held = admitted(name, given, vocabulary, var, keys, trusted)
    if mapping.branch_point != branch_point:
        raise no_source(branch_point)
    outcomes = outcomes_of(mapping, named, everywhere=False)  # refused before anything is fetched
    return mapping, file_of(mapping, held, var), outcomes
