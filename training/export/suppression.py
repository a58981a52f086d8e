"""Small cells: which counts of a published table are withheld, so that nothing can be subtracted back.

A count from 1 to 4 (to k - 1, where a site asks for a larger k) is withheld. The total of the table is known, so what is withheld must not follow
from it: further cells give up their counts, smallest first, until any of the withheld cells could be
any of these numbers. Where that cannot be reached the total is withheld too, and the caller must
not tell it elsewhere.

The reader this holds against knows the total, the cells shown and that a withheld cell is not zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# As in training.evaluation.disclosure, which brings scipy and half a second with it.
SMALLEST_COUNT = 5


@dataclass(frozen=True, slots=True)
class Table:
    """Counts as they may be read.

    Attributes
    ----------
    cells : mapping
        Name -> count, None where withheld.
    total : int or None
        None where withheld.
    """

    cells: Mapping[str, int | None]
    total: int | None


def suppress(
    cells: Mapping[str, int], *, smallest: int = SMALLEST_COUNT, total_is_public: bool = False
) -> Table:
    """Withhold small counts, and whatever would give them away.

    Parameters
    ----------
    cells : mapping
        Name -> count, 0 or more; together they make the total.
    smallest : int
        The smallest count that may be shown, besides 0.
    total_is_public : bool
        The total stands elsewhere for all to see and cannot be withheld. When it is so small that
        no choice protects, every cell that is not 0 is withheld.

    Examples
    --------
    3 would follow from 130 - 20 - 107, so 20 is withheld with it:

    >>> table = suppress({"a": 3, "b": 20, "c": 107})
    >>> dict(table.cells), table.total
    ({'a': None, 'b': None, 'c': 107}, 130)

    Nothing is left to hide behind:

    >>> suppress({"a": 3, "b": 0})
    Table(cells={'a': None, 'b': 0}, total=None)
    """
    total = sum(cells.values())
    by_size = sorted((count, name) for name, count in cells.items() if count)
    withheld = {name for count, name in by_size if count < smallest}
    if not withheld:
        return Table(dict(cells), total)
    for _, name in by_size:
        if _could_be_anything(cells, withheld, smallest):
            break
        withheld.add(name)
    shown = {name: None if name in withheld else count for name, count in cells.items()}
    hidden = not _could_be_anything(cells, withheld, smallest) and not total_is_public
    return Table(shown, None if hidden else total)


def _could_be_anything(cells: Mapping[str, int], withheld: set[str], smallest: int) -> bool:
    together = sum(cells[name] for name in withheld)
    others = len(withheld) - 1
    return others > 0 and together - (smallest - 1) >= others
