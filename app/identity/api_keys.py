"""Static API keys, for sites without an issuer of tokens: made by a command, kept as hashes.

The file holds one JSON object a line: id, name, tenant, scopes, when the key was made, when it ends
and when it was revoked, and the SHA-256 of its secret. The secret is 256 random bits, so a fast hash
gives nothing away: there is no list of likely secrets to try (NIST SP 800-63B section 5.1.2.2 asks
for slow hashes of secrets that people choose).

A revoked key keeps its line, so that an id in an access log can still be explained.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Any

from app.errors import AppError
from app.identity.caller import SCOPES, Caller
from app.identity.claims import LONGEST_NAME
from app.identity.refusal import Refused
from app.identity.tenants import TENANT_ID, Tenant
from app.identity.watched_file import WatchedFile

FILE_NAME = "api-keys.jsonl"
PREFIX = "risk_"
SECRET_BYTES = 32
_SHAPE = re.compile(r"risk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_ID = re.compile(r"[0-9a-f]{12}")
_HASH = re.compile(r"[0-9a-f]{64}")
_NOBODY = "0" * 64


class ApiKeysInvalid(AppError):
    """The file of API keys cannot be used; the message names file, line and rule, never a key."""


class ApiKeyNotFound(AppError):
    """No key has this id."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as it is kept; times are RFC 3339, UTC, whole seconds."""

    id: str
    name: str
    tenant: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    secret_sha256: str = field(repr=False)

    def state(self, now: datetime) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and now >= datetime.fromisoformat(self.expires_at):
            return "expired"
        return "active"

    def public(self, now: datetime) -> dict[str, Any]:
        """What may be listed: everything but the hash."""
        shown = asdict(self)
        del shown["secret_sha256"]
        return {**shown, "scopes": list(self.scopes), "state": self.state(now)}


def create_api_key(
    path: Path,
    *,
    name: str,
    tenant: str,
    scopes: Collection[str],
    lasts: timedelta | None,
    now: datetime,
) -> tuple[ApiKey, str]:
    """Make a key and add it to the file.

    Parameters
    ----------
    path : Path
        The file; made, readable by its owner only, when it is not there.
    name : str
        What the key is for; for people.
    tenant : str
        Whose key it is.
    scopes : collection of str
        What it may do; of `SCOPES`.
    lasts : timedelta, optional
        For how long it holds; None for ever.
    now : datetime
        With its offset to UTC.

    Returns
    -------
    tuple of ApiKey and str
        What was kept, and the key to hand over. It cannot be shown again.

    Raises
    ------
    ApiKeysInvalid
        For a name, tenant or scope that breaks a rule, or a file that cannot be used.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "api-keys.jsonl"
    >>> noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    >>> kept, key = create_api_key(file, name="theatre 4", tenant="default", scopes=["assess"],
    ...                            lasts=timedelta(days=1), now=noon)
    >>> kept.expires_at, key.startswith(f"risk_{kept.id}_"), len(key)
    ('2026-11-22T12:00:00+00:00', True, 61)
    >>> [listed.name for listed in list_api_keys(file)]
    ['theatre 4']
    >>> revoke_api_key(file, kept.id, now=noon).state(noon)
    'revoked'
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey(
        id=secrets.token_hex(6),
        name=name,
        tenant=tenant,
        scopes=tuple(scope for scope in SCOPES if scope in scopes),
        created_at=_written(now),
        expires_at=None if lasts is None else _written(now + lasts),
        revoked_at=None,
        secret_sha256=_hash(secret),
    )
    if unknown := set(scopes) - set(SCOPES):
        count = len(unknown)
        raise ApiKeysInvalid(f"{count} of the scopes are not among {', '.join(SCOPES)}")
    if fault := _fault(asdict(key) | {"scopes": list(key.scopes)}):
        raise ApiKeysInvalid(fault)
    with _held_alone(path):
        _write(path, [*list_api_keys(path), key])
    return key, f"{PREFIX}{key.id}_{secret}"


def list_api_keys(path: Path) -> list[ApiKey]:
    """Every key that was made, oldest first; none when there is no file.

    Raises
    ------
    ApiKeysInvalid
        When the file can be read by others, or a line breaks a rule.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            if os.fstat(stream.fileno()).st_mode & 0o077:
                raise ApiKeysInvalid(f"{path.name} is open to others than its owner; chmod 600")
            lines = stream.read().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError):
        raise ApiKeysInvalid(f"{path.name} cannot be read") from None
    keys = [_parse(line, f"{path.name}: line {n}") for n, line in enumerate(lines, start=1)]
    if len({key.id for key in keys}) != len(keys):
        raise ApiKeysInvalid(f"{path.name}: an `id` occurs twice")
    return keys


def revoke_api_key(path: Path, key_id: str, *, now: datetime) -> ApiKey:
    """End a key; a running service refuses it within a second or so. Twice is as good as once.

    Raises
    ------
    ApiKeyNotFound
        When no key has this id.
    """
    if not path.exists():
        raise ApiKeyNotFound(f"{path.name} is not there; `risk-serve keys create` makes it")
    with _held_alone(path):
        keys = list_api_keys(path)
        for position, key in enumerate(keys):
            if key.id == key_id:
                if key.revoked_at is None:
                    keys[position] = replace(key, revoked_at=_written(now))
                    _write(path, keys)
                return keys[position]
    raise ApiKeyNotFound("no API key has this id; `risk-serve keys list` shows them")


@dataclass(frozen=True, slots=True)
class _Door:
    """One key, ready to be asked."""

    secret_sha256: str
    caller: Caller | None
    expires_at: float
    revoked: bool


class ApiKeys:
    """The keys of a running service, read again within a second of a change.

    Parameters
    ----------
    path : Path
        The file; it may come into being later.
    tenants : mapping of str to Tenant
        A key of a tenant that is not among them is refused.
    clock, monotonic : callable
        Seconds since 1970, and seconds of a clock that never goes back.

    Raises
    ------
    ApiKeysInvalid
        When the file is there and cannot be used.
    """

    def __init__(
        self,
        path: Path,
        tenants: Mapping[str, Tenant],
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock

        def read(path: Path) -> dict[str, _Door]:
            return {key.id: _door(key, tenants.get(key.tenant)) for key in list_api_keys(path)}

        self._doors = WatchedFile(path, read, (ApiKeysInvalid,), clock=monotonic)

    def any_active(self) -> bool:
        """Whether at least one key opens something now."""
        now = self._clock()
        return any(
            not door.revoked and door.caller is not None and now < door.expires_at
            for door in self._doors.content().values()
        )

    def caller(self, presented: str) -> Caller:
        """Whose key this is.

        Raises
        ------
        Refused
            `api_key_unknown`, and for the right secret `api_key_revoked`, `api_key_expired` or
            `api_key_tenant`.
        """
        shape = _SHAPE.fullmatch(presented)
        if shape is None:
            raise Refused("api_key_unknown")
        door = self._doors.content().get(shape[1])
        # An unknown id costs the same comparison, so that time does not tell which ids exist.
        kept = _NOBODY if door is None else door.secret_sha256
        if not compare_digest(_hash(shape[2]), kept) or door is None:
            raise Refused("api_key_unknown")
        if door.revoked:
            raise Refused("api_key_revoked")
        if self._clock() >= door.expires_at:
            raise Refused("api_key_expired")
        if door.caller is None:
            raise Refused("api_key_tenant")
        return door.caller


def _door(key: ApiKey, tenant: Tenant | None) -> _Door:
    expires_at = (
        float("inf")
        if key.expires_at is None
        else datetime.fromisoformat(key.expires_at).timestamp()
    )
    caller = None
    if tenant is not None:
        client = f"api-key:{key.id}"
        caller = Caller(client, None, tenant.id, frozenset(key.scopes), tenant.branch_points)
    return _Door(key.secret_sha256, caller, expires_at, key.revoked_at is not None)


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def _parse(line: str, where: str) -> ApiKey:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        raise ApiKeysInvalid(f"{where} is not JSON") from None
    if not isinstance(values, dict) or set(values) != set(ApiKey.__dataclass_fields__):
        fields = ", ".join(ApiKey.__dataclass_fields__)
        raise ApiKeysInvalid(f"{where} must have exactly: {fields}")
    if fault := _fault(values):
        raise ApiKeysInvalid(f"{where}: {fault}")
    return ApiKey(**{**values, "scopes": tuple(values["scopes"])})


def _fault(values: Mapping[str, Any]) -> str | None:
    """The first rule that a key's fields break."""
    name, scopes = values["name"], values["scopes"]
    if not _matches(_ID, values["id"]):
        return "`id` must be 12 hexadecimal digits"
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        return f"`name` must be 1 to {LONGEST_NAME} printable characters"
    if not _matches(TENANT_ID, values["tenant"]):
        return "`tenant` must be lower case letters, digits, `.`, `_`, `-`; at most 64"
    if not isinstance(scopes, list) or not scopes or not all(scope in SCOPES for scope in scopes):
        return f"`scopes` must be a list of {', '.join(SCOPES)}"
    if not _matches(_HASH, values["secret_sha256"]):
        return "`secret_sha256` must be 64 hexadecimal digits"
    for moment in ("created_at", "expires_at", "revoked_at"):
        if not _is_moment(values[moment], optional=moment != "created_at"):
            return f"`{moment}` must be a time with its offset to UTC"
    return None


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_moment(value: object, *, optional: bool) -> bool:
    if value is None:
        return optional
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


@contextmanager
def _held_alone(path: Path) -> Iterator[None]:
    """Keep other commands out while the file is read and written anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, keys: Collection[ApiKey]) -> None:
    """Replace the file whole: a reader sees the old one or the new one, also after a power cut."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
        sink.writelines(json.dumps(asdict(key), ensure_ascii=True) + "\n" for key in keys)
        sink.flush()
        os.fsync(sink.fileno())
    partial.replace(path)
