"""The history of the `champion` alias, which MLflow does not keep: one tag per move, none ever changed.

Each move is a tag of its own on the registered model, under a key that no other writer has, so two
people who promote at once lose none. A move by hand in MLflow's own page leaves no tag; wherever the
alias is found to be elsewhere than the last move says, the alias is right.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

PREFIX = "champion_move."
PROMOTED, OVERRIDDEN, ROLLED_BACK = "promoted", "overridden", "rolled back"


@dataclass(frozen=True, slots=True)
class Move:
    """One move of the alias, written down before it is made.

    Attributes
    ----------
    before, after : str or None, str
        Version that was champion, and the one that shall be.
    how : str
        "promoted", "overridden" or "rolled back".
    reason : str or None
        Why, where a person gave one.
    at, by : str
        RFC 3339 in UTC, and the account of the operating system.
    """

    before: str | None
    after: str
    how: str
    reason: str | None
    at: str
    by: str

    def tag(self) -> tuple[str, str]:
        """Key and text; the key sorts by time and is nobody else's."""
        at = self.at.replace(":", "")
        return f"{PREFIX}{at}.{secrets.token_hex(4)}", json.dumps(asdict(self))


def moves_of(tags: Mapping[str, str]) -> list[Move]:
    """Every move that a registered model's tags tell of, oldest first; what is no move is passed over."""
    moves = []
    for key in sorted(key for key in tags if key.startswith(PREFIX)):
        try:
            moves.append(Move(**json.loads(tags[key])))
        except (ValueError, TypeError):
            continue
    return moves


def champion_before(moves: Iterable[Move], present: str | None) -> str | None:
    """The version to go back to: the champion before the present one.

    A roll-back takes its steps off, so that the next one goes further back and not to and fro.

    Parameters
    ----------
    present : str or None
        What the alias points at now, whoever moved it.

    Examples
    --------
    Version 2 took the place of 1, and 3 that of 2. Back from 3 is 2, and from there 1:

    >>> first, second = (Move(*pair, "promoted", None, "", "") for pair in (("1", "2"), ("2", "3")))
    >>> champion_before([first, second], "3")
    '2'
    >>> champion_before([first, second, Move("3", "2", "rolled back", None, "", "")], "2")
    '1'
    """
    path: list[str] = []
    for move in moves:
        _stand_on(path, move.before)
        if move.how == ROLLED_BACK:
            _stand_on(path, move.after)
        elif path[-1:] != [move.after]:
            path.append(move.after)
    _stand_on(path, present)
    if present is None:
        return path[-1] if path else None
    return path[-2] if len(path) > 1 else None


def was_champion(moves: Iterable[Move], version: str) -> bool:
    """Whether a version held the alias before some recorded move took it away."""
    return any(move.before == version for move in moves)


def _stand_on(path: list[str], version: str | None) -> None:
    """Make a version the end of the path: step back to it, or go on to it if it is new."""
    if version is None:
        return
    if version in path:
        last = len(path) - 1 - path[::-1].index(version)
        del path[last + 1 :]
    else:
        path.append(version)
