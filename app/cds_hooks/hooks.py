"""The hooks that can call us, and the context each one sends (`hooks.toml`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.vocabulary.content import Key, Row, read_toml

FILE = Path(__file__).parent / "hooks.toml"
REVERSE_DOMAIN = re.compile(
    r"[a-z]{2,}(\.[a-z0-9]+(-[a-z0-9]+)*)+\.[a-z0-9]+(-[a-z0-9]+)+", re.ASCII
)
TYPES: Mapping[str, type] = {"string": str, "array": list, "object": dict}

_FILE = {"custom": Key(dict, required=True), "hook": Key(list, required=True)}
_CUSTOM = {"context": Key(list, required=True)}
_HOOK = {
    "name": Key(str, required=True),
    "version": Key(str, required=True),
    "when": Key(str, required=True),
    "source": Key(str, required=True),
    "context": Key(list),
}
_FIELD = {
    "field": Key(str, required=True),
    "type": Key(str, required=True),
    "required": Key(bool, required=True),
    "token": Key(bool, required=True),
    "meaning": Key(str, required=True),
    "tolerated": Key(str),
}


@dataclass(frozen=True, slots=True)
class ContextField:
    """One field of a hook's context.

    Attributes
    ----------
    token : bool
        Whether a prefetch template may hold it.
    tolerated : bool
        Whether a call is answered without it although the hook requires it.
    """

    field: str
    type: str
    required: bool
    token: bool
    meaning: str
    tolerated: bool = False


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook's definition: when it fires and what its context holds."""

    name: str
    version: str
    when: str
    source: str
    context: tuple[ContextField, ...]

    @property
    def tokens(self) -> frozenset[str]:
        """The context fields that a prefetch template may hold."""
        return frozenset(field.field for field in self.context if field.token)


class Hooks:
    """Every hook that is declared, and any other in reverse-domain form.

    Examples
    --------
    >>> hooks = load_hooks()
    >>> sorted(hooks.get("patient-view").tokens)
    ['encounterId', 'patientId', 'userId']
    >>> hooks.get("org.example.ward-transfer").source
    "the site's own"
    >>> hooks.get("made-up") is None
    True
    """

    def __init__(self, declared: Mapping[str, Hook], custom: tuple[ContextField, ...]) -> None:
        self.declared = declared
        self._custom = custom

    def get(self, name: str) -> Hook | None:
        """The hook of a name; None for one that is neither declared nor in reverse-domain form."""
        if (found := self.declared.get(name)) is not None:
            return found
        if not REVERSE_DOMAIN.fullmatch(name):
            return None
        return Hook(name, "1.0", "As the site defines it.", "the site's own", self._custom)


def load_hooks(path: Path = FILE) -> Hooks:
    """Read and check the hooks.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    document = read_toml(path)
    document.check(_FILE)
    row = Row(path.name, "custom", document.values["custom"])
    row.check(_CUSTOM)
    custom = _context(row)
    declared: dict[str, Hook] = {}
    for number, values in enumerate(document.values["hook"], start=1):
        row = Row(path.name, f"hook number {number}", values)
        row.check(_HOOK)
        if row.values["name"] in declared:
            row.refuse("`name` occurs twice")
        if "context" not in values and not REVERSE_DOMAIN.fullmatch(values["name"]):
            row.refuse("a hook without `context` needs a name in reverse-domain form")
        declared[values["name"]] = Hook(
            values["name"],
            values["version"],
            values["when"],
            values["source"],
            _context(row) if "context" in values else custom,
        )
    return Hooks(declared, custom)


def _context(row: Row) -> tuple[ContextField, ...]:
    fields = []
    for values in row.values["context"]:
        inner = Row(row.file, f"{row.label} context", values)
        inner.check(_FIELD)
        inner.one_of("type", TYPES)
        fields.append(
            ContextField(
                values["field"],
                values["type"],
                values["required"],
                values["token"],
                values["meaning"],
                tolerated="tolerated" in values,
            )
        )
    if "patientId" not in {field.field for field in fields if field.required and field.token}:
        row.refuse("needs `patientId`, required and a token")
    return tuple(fields)
