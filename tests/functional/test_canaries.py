"""Two hundred identifiers go through the whole system, and nowhere does one of them stay.

They are planted in every place that somebody could put them: path, query, header, token, field, name
of a field, line of a batch, body that is no JSON; at every route that the running service publishes.
Then everything it left is searched: answers, log, files, tables, backup, what the commands print, and
PostgreSQL's own files. Only the access log, opened with its key, gives them back.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import socket
import sqlite3
from base64 import b64encode, urlsafe_b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from fastapi.routing import APIRoute
from psycopg import connect
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from app.console.routes import ROUTERS
from tests.lib.canaries import CHUNK, Canary, Planter, canaries, render, search, search_folder, tell
from tests.lib.postgres import Postgres, needed_postgres
from tests.lib.service import Service, run_command, running_service
from tests.lib.tokens import claims, forged, jwks, key_pair

EVERYONE = len(canaries())
PACK = 8
"""How many canaries a header, a query or a broken body holds at once."""
LIMIT_BYTES = 65_536
CARE_UNIT = "ward-31"
WEBHOOK = "/v1/models:webhook"
POINT = "icu-review"
ASSESS = f"/v1/branch-points/{POINT}/assessments"
KEY = key_pair("canary-key", "ES256")
TENANTS = f"""
[[tenant]]
id = "north"
care_units = ["{CARE_UNIT}"]

[[tenant.issuer]]
issuer = "https://ehr.example.org"
audiences = ["complication-risk"]
jwks_file = "ehr.jwks.json"
algorithms = ["ES256"]
tokens = "reusable"
scopes = ["read", "assess", "outcomes", "inspect", "cds"]
"""
SETTINGS = {
    "RISK_LOG_LEVEL": "debug",
    "RISK_BODY_LIMIT_BYTES": str(LIMIT_BYTES),
    "RISK_FHIR_BODY_LIMIT_BYTES": str(LIMIT_BYTES),
    "RISK_RATE_LIMIT_PER_S": "1000000",
    "RISK_CORS_ORIGINS": '["https://ehr.example.org"]',
}
PERSONNUMMER = "http://electronichealth.se/identifier/personnummer"
HEADERS = (
    "Accept", "Accept-Encoding", "Accept-Language", "Access-Control-Request-Headers",
    "Access-Control-Request-Method", "Baggage", "Content-Type", "Cookie", "Expect", "Forwarded",
    "From", "Host", "If-None-Match", "Idempotency-Key", "Origin", "Range", "Referer", "Traceparent",
    "Tracestate", "User-Agent", "Via", "X-Client-Certificate-Subject", "X-Correlation-Id",
    "X-Forwarded-For", "X-Forwarded-Host", "X-Patient", "X-Request-Id",
)  # fmt: skip
HIDDEN = ("/openapi.json", "/docs")
"""Routes that the interface does not list."""
NOWHERE = (
    "/{x}",
    "/v1/{x}",
    "/v1/branch-points/{x}/{x}",
    "/cds-services/{x}/{x}/{x}",
    "/fhir/{x}",
    "/console/{x}",
)
PAGES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
"""The console's, which the interface does not list either."""
REFUSING = {WEBHOOK: {401, 404}, "/console/sign-in": {303, 401}, "/console/integration/send": {404}}
"""Where nothing that a walk sends is signed by MLflow, a credential, or a branch point."""
LONG = ("/console/integration/check",)
"""Where every answer takes a second: a body there holds all canaries at once."""
METHODS = ("DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND")
OPEN, GUARDED = "open, SQLite", "authenticated, PostgreSQL"


# ---------------------------------------------------------------- asking


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; status 0 when the service hung up without a word."""

    status: int
    body: bytes
    head: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Door:
    """Raw HTTP over one connection: sends what no well-behaved client would, keeps every answer.

    Lines that came before are not kept again.
    """

    url: str
    answers: Path
    seen: set[bytes] = field(default_factory=set)
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    _connection: socket.socket | None = None

    def ask(
        self,
        route: str,
        method: str,
        target: str | bytes,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Send a request and note its status under its route; `target` goes as it is."""
        asked = target if isinstance(target, bytes) else target.encode()
        given = {"host": "risk.example.org", **{n.lower(): v for n, v in (headers or {}).items()}}
        if body is not None and "transfer-encoding" not in given:
            given["content-length"] = str(len(body))
        lines = [f"{name}: {value}".encode() for name, value in given.items()]
        head = b"\r\n".join([method.encode() + b" " + asked + b" HTTP/1.1", *lines, b"", b""])
        reply = self.send(head + (body or b""), method)
        self.statuses[route][reply.status] += 1
        return reply

    def send(self, raw: bytes, method: str = "GET") -> Reply:
        """Send bytes as they are and read one answer."""
        connection, self._connection = self._connection or self._connect(), None
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(raw)
        try:
            response = HTTPResponse(connection, method=method)
            response.begin()
            body = response.read()
        except (HTTPException, OSError):
            connection.close()
            return Reply(0, b"")
        self._keep(str(response.headers).encode("utf-8", "surrogateescape"), body)
        if response.will_close:
            connection.close()
        else:
            self._connection = connection
        return Reply(response.status, body, str(response.headers))

    def send_and_hang_up(self, raw: bytes) -> None:
        """Send bytes on a connection of their own, and nothing after them."""
        with self._connect() as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            with suppress(ConnectionResetError):
                while piece := connection.recv(65_536):
                    answer += piece
        self._keep(answer)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> socket.socket:
        parts = urlsplit(self.url)
        connection = socket.create_connection((parts.hostname, parts.port), timeout=30.0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _keep(self, *pieces: bytes) -> None:
        new = [
            line
            for piece in pieces
            for line in piece.split(b"\n")
            if (digest := sha256(line).digest()) not in self.seen and not self.seen.add(digest)
        ]
        with self.answers.open("ab") as sink:
            sink.write(b"\n".join([*new, b""]))


# ---------------------------------------------------------------- bodies


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


BROKEN: dict[str, Callable[[str], bytes]] = {
    "bare": lambda s: s.encode(),
    "string": as_json,
    "list": lambda s: as_json([s, {"subject": s}]),
    "names and values": lambda s: as_json({s: {s: [s, {s: s}]}, "subject": {"id": s}}),
    "cut short": lambda s: b'{"subject": "' + s.encode(),
    "key twice": lambda s: b'{%s: 1, %s: 2}' % (as_json(s), as_json(s)),
    "not a number": lambda s: b'{"subject": %s, "measurements": {"age": NaN}}' % as_json(s),
    "too deep": lambda s: b"[" * 3000 + as_json(s),
    "half a character": lambda s: b'{"subject": "\\ud800' + as_json(s)[1:] + b"}",
    "Latin-1": lambda s: b'{"subject": "\xe5' + s.encode("latin-1", "replace") + b'"}',
    "UTF-16": lambda s: json.dumps({"subject": s}, ensure_ascii=False).encode("utf-16"),
    "too long": lambda s: as_json({"subject": s * (LIMIT_BYTES // len(s.encode()) + 1)}),
    "form": lambda s: f"subject={quote(s)}&{quote(s)}=1".encode(),
}  # fmt: skip
FORMS = ("bare", "too long", "form")
"""What a page that takes a form can be sent: to it, all the others are bare text."""


def number_of(canary: Canary, spelling: str, turn: int) -> Any:
    """A canary as a JSON number, whole or with a point somewhere; its spelling if it has letters."""
    digits = canary.digits[turn % len(canary.digits)] if canary.digits else ""
    if not digits:
        return spelling
    point = turn % len(digits)
    return int(digits) if point == 0 else float(f"{digits[:point]}.{digits[point:]}")


# ---------------------------------------------------------------- the walk


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the interface: its method, and the names of what its query takes."""

    method: str
    query: list[str]


@dataclass
class Walk:
    """One walk through a running service, and what it left behind."""

    mode: str
    folder: Path
    trained: Path
    planter: Planter
    door: Door
    routes: dict[str, Route] = field(default_factory=dict)
    features: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    identifiers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    tenant: str = "default"
    api_key: str | None = None
    postgres: Postgres | None = None
    rows: int = 0

    @property
    def evidence(self) -> dict[str, Path]:
        """What is searched, by what it is."""
        return {
            "answers": self.door.answers,
            "log": self.site / "log",
            "the service's folder": self.site,
            "the same while it ran": self.folder / "alive",
            "registry, artifacts and model cache": self.trained,
            "tables": self.folder / "tables",
            "backup": self.folder / "backup.gz",
            "output of the commands": self.output,
        }

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def output(self) -> Path:
        """What the commands print."""
        return self.folder / "output"

    @property
    def opened(self) -> Path:
        """What the access log says when it is opened."""
        return self.folder / "opened"

    @property
    def allowed(self) -> dict[str, str]:
        """Credentials that are good for everything."""
        return {} if self.api_key is None else {"x-api-key": self.api_key}

    # -- every route, known or not

    def plant_around(self, route: str, method: str, body: bytes | None = None) -> None:
        """Path, query and headers, with planted and with good credentials."""
        here = f"{method} {route}"
        for turn in range(EVERYONE // PACK):
            target = self._target(route, here) + self._query(route, here)
            headers = {name: " ".join(self._several(f"{here}, {name}")) for name in HEADERS}
            for name in self._several(f"{here}, name of a header"):
                headers[f"x-{quote(name, safe='')}"] = "1"
            if turn % 2:
                headers["accept"] = "application/json"
            for credentials in (self._credentials(here, turn), self.allowed):
                self.door.ask(route, method, target, {**headers, **credentials}, body)
                if not self.allowed:
                    break

    def plant_paths(self, route: str, method: str) -> None:
        """Each canary alone where the path names something."""
        if "{" in route:
            for _ in range(EVERYONE):
                self.door.ask(route, method, self._target(route, f"{method} {route}"), self.allowed)

    def plant_methods(self, route: str) -> None:
        """Methods that the route does not know, the canary itself among them."""
        here = f"any {route}"
        for turn in range(EVERYONE // PACK):
            method = METHODS[turn % len(METHODS)]
            if turn % 8 == 7:
                method = quote(self.planter.plant("method"), safe="")
            target = self._target(route, here) + self._query(route, here)
            self.door.ask(f"wrong method {route}", method, target, self.allowed)

    def _several(self, place: str) -> list[str]:
        return self.planter.several(place, PACK)

    def _target(self, route: str, here: str) -> str:
        filled = ""
        for piece in route.replace("}", "{").split("{"):
            named = piece[:1] not in ("/", ":", "")
            filled += self._in_url(self.planter.plant(f"{here}, path")) if named else piece
        return filled

    def _query(self, route: str, here: str) -> str:
        pairs = [
            f"{name}={self._in_url(' '.join(self._several(f'{here}, query {name}')))}"
            for name in self.routes[route].query
        ]
        names, values = self._several(f"{here}, query name"), self._several(f"{here}, query value")
        pairs += map(
            "=".join, zip(map(self._in_url, names), map(self._in_url, values), strict=True)
        )
        return "?" + "&".join(pairs)

    @staticmethod
    def _in_url(planted: str) -> str:
        """As it is where a request line can hold it, else percent-encoded."""
        if planted.isascii() and not set(planted) & set(' "<>\\^`{|}#?/&=%'):
            return planted
        return quote(planted, safe="")

    def _credentials(self, here: str, turn: int) -> dict[str, str]:
        """Credentials made of canaries: good for nothing."""
        plant, kind = self.planter.plant, turn % 5
        if kind == 0:
            return {"authorization": f"Bearer {plant('bearer')}"}
        if kind == 1:
            pair = f"{plant('basic user')}:{plant('basic password')}".encode()
            return {"authorization": f"Basic {b64encode(pair).decode()}"}
        if kind == 2:
            names = ("kid", "jku", "x5u", "typ", "crit", "alg")
            header = {"alg": "ES256", **{n: plant(f"token {n}") for n in names[turn % 6 :: 6]}}
            said = claims(
                **{n: plant(f"token {n}") for n in ("sub", "iss", "jti", "client_id", "tenant")}
            )
            return {"authorization": f"Bearer {forged(header, said, b'x' * 64)}"}
        if kind == 3:
            return {"x-api-key": plant("API key")}
        made = urlsafe_b64encode(sha256(here.encode()).digest()).decode().rstrip("=")
        return {
            "authorization": plant("scheme"),
            "x-api-key": f"risk_{made[:12]}_{plant('API key secret')}",
        }

    # -- bodies

    def plant_bodies(self, route: str) -> None:
        """Bodies that cannot be used, at any route that takes one."""
        target, good = route.replace("{branch_point}", POINT), self.allowed | self._form(route)
        kinds = FORMS if route.startswith("/console") else BROKEN
        pack = EVERYONE if route in LONG else PACK
        for name in kinds:
            broken = BROKEN[name]
            place = f"POST {route}, body: {name}"
            packs = [self.planter.several(place, pack) for _ in range(EVERYONE // pack)]
            bodies = [broken(" ".join(several)) for several in packs]
            if route.endswith(":batch"):
                self.door.ask(route, "POST", target, good, b"\n".join(bodies))
                continue
            for turn, body in enumerate(bodies):
                if turn % 4:
                    self.door.ask(route, "POST", target, good, body)
                else:
                    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
                    headers = {**good, "transfer-encoding": "chunked"}
                    self.door.ask(route, "POST", target, headers, chunked)

    def _form(self, route: str) -> dict[str, str]:
        """What makes a form one of the console's own."""
        if not route.startswith("/console"):
            return {}
        page = self.door.ask("a form", "GET", "/console/sign-in", self.allowed)
        proof = re.search(rb'name="console-form" content="([0-9a-f]+)"', page.body)
        cookie = re.search(r"^set-cookie: ([^;]+)", page.head, re.MULTILINE | re.IGNORECASE)
        assert proof
        assert cookie
        return {"cookie": cookie[1], "x-console-form": proof[1].decode()}

    def plant_fields(self, route: str, good: Mapping[str, Any]) -> None:
        """Every field of a good body, one kind of wrong value after another, and all its names."""
        target = route.replace("{branch_point}", POINT)
        here, plant = f"POST {route}", self.planter.plant

        def wrong(place: str, turn: int) -> Any:
            place = f"{here}, {place}"
            if turn % 4 == 0:
                return plant(place)
            if turn % 4 == 1:
                return [number_of(*self.planter.plant_one(place), turn)]
            if turn % 4 == 2:
                return {"value": plant(place), "unit": plant(place), "time": plant(place)}
            return {
                name: [value]
                for name, value in zip(self._several(place), self._several(place), strict=True)
            }

        lines = []
        for turn in range(EVERYONE * 4 // (5 + 2 * PACK) + 4):
            names = (*good, "protected_identity", "include", "correction")
            body = {name: wrong(f"/{name}", turn) for name in names if name != "measurements"}
            body.update(
                (name, wrong("value of an unknown name", turn))
                for name in self._several(f"{here}, name")
            )
            if "measurements" in good:
                measured = {name: wrong(f"/measurements/{name}", turn) for name in self.features}
                unknown = self._several(f"{here}, name of a measurement")
                body["measurements"] = measured | dict.fromkeys(unknown, 1)
            lines.append(as_json(body))
        self._send(route, target, lines)

    def plant_values(self, route: str, good: Mapping[str, Any]) -> None:
        """Bodies that are answered: identifiers where they belong, numbers of them as measurements."""
        target, plant = route.replace("{branch_point}", POINT), self.planter.plant
        lines = []
        for turn in range(EVERYONE):
            here = f"POST {route}, good"
            body: dict[str, Any] = {**good, "outcomes": ["death_180d"]}
            for name in ("subject", "episode", "unit"):
                body[name] = plant(f"{here} /{name}", clear=turn % 2 == 0)
                if "inspect" not in route:
                    self.identifiers[name].add(body[name])
            if turn % 5 == 4:
                body["protected_identity"] = True
            measured = {}
            for name in self.numbers:
                canary, spelling = self.planter.plant_one(f"{here} /measurements/{name}")
                number = number_of(canary, spelling, turn + len(measured))
                if not isinstance(number, str):
                    measured[name] = number
            body["measurements"] = (
                {**good["measurements"], **measured} if turn % 2 else good["measurements"]
            )
            lines.append(as_json(body))
        self._send(route, target, lines)

    def plant_charts(self, route: str, good: Mapping[str, Any]) -> None:
        """Charts that are answered: identifiers in every place where FHIR has one, or room for one."""
        here, plant = f"POST {route}, chart", self.planter.plant
        for turn in range(EVERYONE):
            body = json.loads(as_json(good))
            (chart,) = [p["resource"] for p in body["parameter"] if p["name"] == "bundle"]
            patient, *measured = [entry["resource"] for entry in chart["entry"]]
            for name, places in (("episode", body["parameter"]), ("unit", body["parameter"])):
                sent = plant(f"{here} {name}", clear=True)
                self.identifiers[name].add(sent)
                places.append({"name": name, "valueString": sent})
            subject = plant(f"{here} Patient.identifier", clear=True)
            self.identifiers["subject"].add(subject)
            texts = iter(self._several(here))
            patient |= {
                "identifier": [
                    {"system": PERSONNUMMER, "value": subject},
                    {"system": next(texts), "value": next(texts)},
                ],
                "name": [{"family": next(texts), "given": [next(texts)]}],
                "telecom": [{"system": "phone", "value": next(texts)}],
                "address": [{"text": next(texts)}],
                "text": {"div": f"<div>{next(texts)}</div>"},
                "contact": [{"name": {"text": next(texts)}}],
            }
            canary, spelling = self.planter.plant_one(f"{here} logical id", clear=True)
            if canary.digits:  # a name as an id looks like any other id
                patient["id"] = spelling
                for parameter in body["parameter"]:
                    if parameter["name"] == "patient":
                        parameter["valueReference"] = {"reference": f"Patient/{spelling}"}
            for number, one in enumerate(measured):
                texts = iter(self._several(f"{here} Observation"))
                name, number_spelled = self.planter.plant_one(f"{here} Observation.id", clear=True)
                one |= {
                    "id": number_spelled if name.digits else one["id"],
                    "subject": {"reference": f"Patient/{patient['id']}", "display": next(texts)},
                    "identifier": [{"value": next(texts)}],
                    "note": [{"text": next(texts)}],
                    "performer": [{"reference": next(texts), "display": next(texts)}],
                    next(texts): next(texts),
                }
                one["code"]["text"] = next(texts)
                if (turn + number) % 7 == 1:
                    one["valueQuantity"]["unit"] = one["valueQuantity"]["code"] = plant(here)
                if (turn + number) % 7 == 5:
                    canary, spelling = self.planter.plant_one(f"{here} valueQuantity")
                    one["valueQuantity"]["value"] = number_of(canary, spelling, turn)
                if (turn + number) % 7 == 3:
                    one["subject"]["reference"] = f"Patient/{plant(f'{here} stranger')}"
            self.door.ask(route, "POST", route, self.allowed, as_json(body))

    def _send(self, route: str, target: str, bodies: list[bytes]) -> None:
        if route.endswith(":batch"):
            self.door.ask(route, "POST", target, self.allowed, b"\n".join(bodies))
        else:
            for body in bodies:
                self.door.ask(route, "POST", target, self.allowed, body)

    # -- the path of a patient: assessed, read, found, followed up

    def follow_patients(self, good: Mapping[str, Any]) -> None:
        """Real use by the book, each patient a canary, asked for by a canary."""
        plant, ask = self.planter.plant, self.door.ask
        for turn in range(EVERYONE):
            subject, episode = plant("patient's subject", clear=True), plant("patient's episode")
            who = self._person()
            self.identifiers["subject"].add(subject)
            self.identifiers["episode"].add(episode)
            body = {**good, "subject": subject, "episode": episode, "unit": CARE_UNIT,
                    "outcomes": ["death_180d"]}  # fmt: skip
            answer = ask(ASSESS, "POST", ASSESS, who, as_json(body)).json
            number, key = answer["assessment_id"], answer["episode_id"]
            assert (
                ask(
                    "/v1/episodes:find",
                    "POST",
                    "/v1/episodes:find",
                    who,
                    as_json({"episode": episode}),
                ).status
                == 200
            )
            if turn % 5 == 0:
                for path in (
                    f"/v1/assessments/{number}",
                    f"/v1/episodes/{key}",
                    f"/console/assessments/{number}",
                ):
                    assert ask("read", "GET", path, who).status == 200
                opened = "/console/assessments"
                form = who | self._form(opened)
                sent = f"number={number}".encode()
                assert ask(opened, "POST", opened, form, sent).status == 303
            self._report(turn, number, subject, episode, who)

    def _report(
        self, turn: int, number: str, subject: str, episode: str, who: dict[str, str]
    ) -> None:
        route = "/v1/outcomes"
        whose: dict[str, str] = {"subject": subject, "episode": episode}
        if turn % 3 == 0:
            whose = {"assessment_id": number}
        said = {"outcome": "death_180d", "value": True, "observed_at": "2027-06-01T00:00:00Z"}
        days = {**said, "outcome": "length_of_stay_days", "value": turn % 90 + 0.25}
        stranger = self.planter.plant("outcome of a stranger's subject")
        elsewhere = self.planter.plant("outcome of a stranger's episode")
        unknown = self.planter.plant("outcome of an unknown assessment")
        reports: list[tuple[dict[str, Any], set[int]]] = [
            ({**whose, **said}, {201}),
            ({**whose, **said}, {200}),
            ({**whose, **said, "value": False}, {409}),
            ({**whose, **said, "value": False, "correction": True}, {201}),
            ({**whose, **days}, {201}),
            ({"subject": stranger, "episode": elsewhere, **said}, {202}),
            ({"assessment_id": unknown, **said}, {404}),
        ]
        for report, expected in reports[:: 1 if turn % 5 == 0 else 5]:
            status = self.door.ask(route, "POST", route, who, as_json(report)).status
            assert status in expected, (status, expected)

    # -- CDS Hooks: what an EHR sends, with identifiers wherever FHIR has room for them

    def call_hooks(self, route: str, good: Mapping[str, Any]) -> None:
        """Calls that are answered with a card, and what became of it in a user's words."""
        plant, target = self.planter.plant, route.replace("{branch_point}", POINT)
        for turn in range(EVERYONE):
            body = deepcopy(dict(good))
            subject, episode = plant("hook, identifier", clear=True), plant("hook, encounterId")
            self.identifiers["subject"].add(subject)
            if re.fullmatch(r"[A-Za-z0-9.-]{1,64}", episode):
                body["context"] |= {"encounterId": episode, "userId": f"Practitioner/{episode}"}
                self.identifiers["episode"].add(episode)
            system = "http://electronichealth.se/identifier/personnummer"
            patient = body["prefetch"]["patient"]
            patient["identifier"] = [{"system": system, "value": subject}]
            patient["name"] = [{"text": plant("hook, name")}]
            patient["telecom"] = [{"value": plant("hook, telecom")}]
            for observation in body["prefetch"]["vital-signs"]["entry"]:
                observation["fullUrl"] = plant("hook, fullUrl")
                observation["resource"] |= {
                    "id": plant("hook, id"),
                    "note": [{"text": plant("hook, note")}],
                    "performer": [{"display": plant("hook, performer")}],
                }
                observation["resource"]["code"]["text"] = plant("hook, code.text")
            body["prefetch"][plant("hook, key")] = {"resourceType": plant("hook, resourceType")}
            body["extension"] = {**body["extension"], plant("hook, extension"): plant("hook, more")}
            body["fhirServer"] = f"https://ehr.example.org/{plant('hook, fhirServer')}"
            body["fhirAuthorization"] = {
                "access_token": quote(plant("hook, access_token"), safe=""), "token_type": "Bearer",
                "expires_in": 300, "scope": plant("hook, scope"), "subject": plant("hook, subject"),
            }  # fmt: skip
            answer = self.door.ask(route, "POST", target, self.allowed, as_json(body))
            assert answer.status == 200, answer.body[:500]
            self._give_feedback(f"{route}/feedback", turn, answer.json["cards"][0]["uuid"])

    def _give_feedback(self, route: str, turn: int, card: str) -> None:
        plant, target = self.planter.plant, route.replace("{branch_point}", POINT)
        when = {"outcomeTimestamp": "2026-11-21T08:16:00Z"}
        reason = {"code": plant("feedback, code"), "display": plant("feedback, display")}
        comment = {"reason": reason, "userComment": plant("feedback, comment")}
        accepted = [{"id": plant("feedback, suggestion")}]
        reports = [
            {"card": card, "outcome": "overridden", "overrideReason": comment, **when},
            {"card": card, "outcome": "accepted", "acceptedSuggestions": accepted, **when},
            {"card": plant("feedback, card"), "outcome": "overridden", **when},
        ]
        body = as_json({"feedback": reports[turn % 2 :]})
        assert self.door.ask(route, "POST", target, self.allowed, body).status == 200

    def _person(self) -> dict[str, str]:
        """A token that names a canary as the person who asks."""
        if self.api_key is None:
            return {}
        sub = self.planter.plant("sub of a good token", clear=True)
        self.identifiers["user"].add(sub)
        scopes = "read assess outcomes inspect"
        return {"authorization": f"Bearer {KEY.token(claims(sub=sub, scope=scopes))}"}

    # -- what is no HTTP, or hardly

    def plant_in_the_wire(self) -> None:
        """Bytes that a parser of HTTP refuses, or takes in another way."""
        post = f"POST {ASSESS} HTTP/1.1\r\nhost: x\r\n"
        get = " HTTP/1.1\r\nhost: x\r\n"
        upgrade = f"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {b64encode(bytes(16)).decode()}\r\n"
        wires: dict[str, Callable[[str], str]] = {
            "a line": lambda s: f"{s}\r\n\r\n",
            "a target": lambda s: f"GET /{s}{get}\r\n",
            "an address": lambda s: f"GET http://{quote(s)}/v1/features{get}\r\n",
            "a version": lambda s: f"GET /livez HTTP/{s}\r\n\r\n",
            "a header": lambda s: f"GET /livez{get}{s}\r\n\r\n",
            "a header's name": lambda s: f"GET /livez{get}{s}: {s}\r\n\r\n",
            "a length": lambda s: f"{post}content-length: {s}\r\n\r\n",
            "a chunk": lambda s: f"{post}transfer-encoding: chunked\r\n\r\n{s}\r\n",
            "an encoding": lambda s: f"{post}transfer-encoding: {s}\r\n\r\n",
            "a socket": lambda s: (
                f"GET /v1/episodes/{quote(s)}{get}{upgrade}sec-websocket-protocol: {quote(s)}\r\n\r\n"
            ),
        }
        for name, wire in wires.items():
            for _ in range(EVERYONE):
                self.door.send_and_hang_up(wire(self.planter.plant(f"wire: {name}")).encode())

    # -- all of it

    def go(self) -> None:
        """Ask everything that can be asked."""
        ask = self.door.ask
        interface = ask("/openapi.json", "GET", "/openapi.json", self.allowed).json
        features = ask("/v1/features", "GET", "/v1/features", self.allowed).json
        point = ask("a branch point", "GET", f"/v1/branch-points/{POINT}", self.allowed).json
        known = {*point["required"], *point["optional"]}
        self.features = [feature["name"] for feature in features]
        self.numbers = [f["name"] for f in features if f["kind"] == "number" and f["name"] in known]
        good: dict[str, dict[str, Any]] = {}
        for path, operations in interface["paths"].items():
            for method, operation in operations.items():
                query = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
                self.routes[path] = Route(method.upper(), query)
                if method == "post" and "requestBody" in operation:
                    good[path] = _example(operation)
        for path in (*HIDDEN, *NOWHERE):
            self.routes[path] = Route("GET", [])
        for page in PAGES:
            for method in page.methods or ():
                # One path, one entry: what a page takes as a form is planted with the bodies.
                self.routes[page.path] = Route(method, ["next", "window"])
        assessment = next(body for body in good.values() if "measurements" in body)
        self.follow_patients(assessment)
        for path, route in self.routes.items():
            body = as_json(good[path] or assessment) if path in good else None
            self.plant_around(path, route.method, body)
            self.plant_paths(path, route.method)
            self.plant_methods(path)
            if route.method == "POST":
                self.plant_bodies(path)
        for path, given in good.items():
            example = given or assessment
            self.plant_fields(path, example)
            if "measurements" in example:
                self.plant_values(path, example)
            if example.get("resourceType") == "Parameters":
                self.plant_charts(path, example)
            if "hook" in example:
                self.call_hooks(path, example)
        inspect = "/v1/deidentification/inspect"
        attacked = {**assessment, "subject": self.planter.plant("attacked", clear=True)}
        report = ask(
            inspect, "POST", f"{inspect}?attacks=true", self.allowed, as_json(attacked)
        ).json
        assert report["attacks"]["allowed"] == 0
        self.plant_in_the_wire()
        for path in ("/metrics", "/readyz", f"/v1/models/{POINT}.death_180d",
                     f"/v1/models/{POINT}.death_180d/card"):  # fmt: skip
            assert ask("after all", "GET", path, self.allowed).status == 200
        self.door.close()


def _example(operation: Mapping[str, Any]) -> dict[str, Any]:
    """The body that the interface gives as an example at our branch point; empty without any."""
    for content in operation["requestBody"]["content"].values():
        examples = content.get("examples", {})
        for example in (*(e for name, e in examples.items() if name == POINT), *examples.values()):
            return dict(example["value"])
    return {}


# ---------------------------------------------------------------- what it leaves


def run_commands(walk: Walk, service: Service) -> None:
    """What operators and SREs run on a service that was asked about canaries, and what is printed."""
    plant, settings = walk.planter.plant, {**SETTINGS, **service.settings}
    patient, row, broken = (
        walk.folder / name for name in ("patient.json", "row.json", "broken.json")
    )
    request = {"subject": plant("file, /subject"), "episode": plant("file, /episode"),
               "measurements": {"age": 71, plant("file, name of a measurement"): plant("file, value")}}  # fmt: skip
    patient.write_bytes(
        as_json({**request, "measurements": {"age": 71}, "unit": plant("file, /unit")})
    )
    row.write_bytes(as_json({"row": "7", "branch_point": POINT, "request": request, "labels": {}}))
    broken.write_text(f"{plant('file, no JSON')} {plant('file, no JSON')}")
    inspect = ("risk-serve", "inspect-deid", "--branch-point", POINT, "--no-attacks")
    reason = plant("reason", clear=True)
    walk.identifiers["reason"].add(reason)
    subject = sorted(walk.identifiers["subject"])[0]
    reading = ("risk-serve", "access-log", "--reason", reason)
    shut: list[tuple[tuple[str, ...], str | None]] = [
        (("risk-monitor", "status", service.url), None),
        (("risk-monitor", "verify", "--json"), None),
        (("risk-monitor", "backup", str(walk.folder / "backup.gz")), None),
    ]
    opening: list[tuple[tuple[str, ...], str | None]] = [((*reading, "--json"), None)]
    if walk.mode == OPEN:  # what has no part in how callers are known, or where things are kept
        shut += [
            (("risk-monitor", "status", service.url, "--json"), None),
            (("risk-serve", "settings", "--json"), None),
            ((*inspect, str(patient)), None),
            ((*inspect, "--json", str(row)), None),
            ((*inspect, "--json", "-"), broken.read_text()),
            (("risk-serve", "ask", "--url", service.url, str(row)), None),
            (("risk-serve", "ask", "--url", service.url, "--json", str(broken)), None),
        ]
        opening += [((*reading, "--patient", "--tenant", walk.tenant), subject)]

    def run(asked: tuple[tuple[str, ...], str | None]) -> str:
        arguments, given = asked
        done = run_command(
            *arguments, var=walk.trained, settings=settings, given=given, check=False
        )
        assert done.returncode in (0, 1), done.stderr[-500:]
        return f"{arguments[:2]}\n{done.stdout}\n{done.stderr}\n"

    with ThreadPoolExecutor(2) as pool:
        walk.output.write_text("".join(pool.map(run, shut)))
        walk.opened.write_text("".join(pool.map(run, opening)))


def dump_sqlite(file: Path, sink: Path) -> int:
    """Write every row of every table into a file; returns how many rows."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection, sink.open("ab") as out:
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        tables = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        count = 0
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - a name from the catalogue
                out.write(render(dict(row)))
                count += 1
    connection.close()
    return count


def dump_postgres(url: str, sink: Path) -> int:
    """Write every row of every table, and what the planner knows of values, into a file."""
    count = 0
    with connect(url, row_factory=dict_row, autocommit=True) as connection, sink.open("ab") as out:
        connection.execute("ANALYZE")
        connection.execute("CHECKPOINT")
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname <> 'pg_catalog'"
            " AND schemaname <> 'information_schema'"
            " UNION ALL VALUES ('pg_catalog', 'pg_stats'), ('pg_catalog', 'pg_stat_activity')"
        ).fetchall()
        for table in tables:
            name = Identifier(table["schemaname"], table["tablename"])
            for row in connection.execute(SQL("SELECT * FROM {}").format(name)):
                out.write(render(row))
                count += 1
    return count


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A server that writes every statement, and what is in it, into its log."""
    for server in needed_postgres():
        with connect(server.new_database(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET log_statement = 'all'")
            connection.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture
def leaky_postgres() -> Iterator[Postgres]:
    """A server to leak into."""
    yield from needed_postgres()


@pytest.fixture(scope="module", params=[OPEN, GUARDED])
def walk(
    request: pytest.FixtureRequest, trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Walk:
    """A service that was walked through; it has ended, all that it left is there."""
    folder = tmp_path_factory.mktemp("canaries")
    site = folder / "site"
    site.mkdir()
    settings = dict(SETTINGS)
    made = Walk(request.param, folder, trained, Planter(), Door("", folder / "answers"))
    if request.param == GUARDED:
        made.postgres = request.getfixturevalue("postgres")
        url = made.postgres.new_database()
        (site / "tenants.toml").write_text(TENANTS)
        (site / "ehr.jwks.json").write_bytes(jwks(KEY))
        settings |= {"RISK_DATABASE_URL": url, "RISK_TENANTS_FILE": str(site / "tenants.toml"),
                     "RISK_API_KEYS_FILE": str(site / "api-keys.jsonl")}  # fmt: skip
        scopes = (
            part
            for name in ("read", "assess", "outcomes", "inspect", "cds", "operate")
            for part in ("--scope", name)
        )
        made.tenant, key = "north", run_command(
            "risk-serve", "keys", "create", "--name", "walk", "--tenant", "north", *scopes,
            var=trained, settings=settings,
        ).stdout.strip()  # fmt: skip
        made.api_key = key
    with running_service(trained, site / "log", settings) as service:
        made.door.url = service.url
        made.go()
        run_commands(made, service)
        shutil.copytree(site, folder / "alive")
        if made.postgres is None:
            made.rows = dump_sqlite(site / "log-ledger.db", folder / "tables")
        else:
            made.rows = dump_postgres(settings["RISK_DATABASE_URL"], folder / "tables")
        dump_sqlite(trained / "mlflow.db", folder / "tables")
    return made


# ---------------------------------------------------------------- the search can fail


DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")
LEAKS: dict[str, Callable[[Canary], bytes]] = {
    "plain": lambda c: c.clear[0].encode(),
    "normalised": lambda c: c.clear[0].translate(DEVANAGARI).upper().encode(),
    "URL-encoded": lambda c: quote(quote(c.clear[-1], safe=""), safe="").encode(),
    "base64": lambda c: b64encode(b'{"id": "' + c.clear[0].encode() + b'"}'),
    "base64 for URLs": lambda c: urlsafe_b64encode(b"x>>?" + c.clear[1].encode() + b"??>"),
    "reversed": lambda c: c.clear[0][::-1].encode(),
    "hex": lambda c: c.clear[0].encode().hex().upper().encode(),
    "digest": lambda c: sha256(c.clear[0].encode()).hexdigest().encode(),
    "UTF-16": lambda c: c.clear[0].encode("utf-16-le"),
    "read as Latin-1": lambda c: c.clear[0].encode().decode("latin-1").encode(),
    "in a log line": lambda c: json.dumps({"event": "x", "path": f"/v1/{c.clear[0]}"}).encode(),
    "as Python shows bytes": lambda c: repr(c.clear[0].encode()).encode(),
    "digits alone": lambda c: (
        "_ ".join(c.digits[0] if c.digits else c.clear[0]).encode()
        if c.digits
        else c.clear[0].encode()
    ),
}


@pytest.mark.parametrize("form", LEAKS)
def test_a_leak_of_any_canary_is_found_in_a_file(form: str, tmp_path: Path):
    """Between other bytes, across the border of two chunks, in a folder, and compressed."""
    leaks = [LEAKS[form](canary) for canary in canaries()]
    (tmp_path / "deep" / "er").mkdir(parents=True)
    half = EVERYONE // 2
    (tmp_path / "deep" / "er" / "heap").write_bytes(b"\0\xff|".join([b"", *leaks[:half], b""]))
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"\n".join(leaks[half:-1])))
    across = CHUNK - len(leaks[-1]) // 2
    (tmp_path / "large").write_bytes(b"0" * 9 + b"x" * (across - 9) + leaks[-1] + b"x" * 99)
    found = search_folder(tmp_path)
    assert {one.number for one in found} == set(range(EVERYONE))


def test_a_leak_into_a_name_of_a_file_is_found(tmp_path: Path):
    (tmp_path / f"journal-{canaries()[7].clear[0]}.txt").touch()
    assert {one.number for one in search_folder(tmp_path)} == {7}


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_a_leak_into_a_table_is_found(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
):
    """As text, as bytes, and as a number, which no search of the file's bytes could see."""
    forms = ("plain", "base64", "reversed", "normalised")
    texts = [LEAKS[forms[c.number % 4]](c) for c in canaries()]
    rows = [(text.decode(), text, 0) for text in texts[:100]]
    rows += [("", b"", int(c.digits[0]) if c.digits else 0) for c in canaries()[:100]]
    sink = tmp_path / "tables"
    if database == "SQLite":
        file = tmp_path / "leaky.db"
        with sqlite3.connect(file) as connection:
            connection.execute("CREATE TABLE leaky (a TEXT, b BLOB, c INTEGER)")
            connection.executemany("INSERT INTO leaky VALUES (?, ?, ?)", rows)
        connection.close()
        assert dump_sqlite(file, sink) == len(rows)
    else:
        server = request.getfixturevalue("leaky_postgres")
        url = server.new_database()
        with connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE leaky (a TEXT, b BYTEA, c BIGINT)")
            connection.cursor().executemany("INSERT INTO leaky VALUES (%s, %s, %s)", rows)
        assert dump_postgres(url, sink) >= len(rows)
        assert {one.number for one in search_folder(server.data)} == set(range(100))
    assert {one.number for one in search("tables", sink)} == set(range(100))


@pytest.mark.parametrize("which", range(max(len(c.spellings) for c in canaries())))
def test_every_spelling_of_every_canary_is_found(which: int):
    spelled = {c.number: c.spellings[which] for c in canaries() if which < len(c.spellings)}
    found = {one.number for one in search("all", "\n".join(spelled.values()).encode())}
    assert found >= set(spelled)


@pytest.mark.parametrize(
    "innocent",
    [
        json.dumps([i / 7 for i in range(100_000)]), "\n".join(map(str, range(100_000))),
        "2026-11-21T08:15:00.123456Z " * 1000, "e1-" + "abcdefghijklmnop" * 1000,
        sha256(b"other").hexdigest() * 1000, "Åsa", "Björk", "kanarie", "example.org", "+46 70",
    ],
    ids=range(10),
)  # fmt: skip
def test_what_was_not_planted_is_not_found(innocent: str):
    assert search("innocent", innocent.encode()) == []


# ---------------------------------------------------------------- what must hold


def test_the_walk_went_everywhere(walk: Walk):
    """Every route, every canary in every place, every spelling: and nothing failed on the way."""
    incomplete = {
        place: len(found)
        for place, found in walk.planter.planted.items()
        if len(found) < EVERYONE and place.startswith(("GET ", "POST ", "wire"))
    }
    assert incomplete == {}
    assert walk.planter.missing() == []
    for path, route in walk.routes.items():
        statuses = walk.door.statuses[path]
        assert sum(statuses.values()) >= EVERYONE // PACK
        if route.method == "POST":
            # No canary is the name of a model.
            known = {404} if "{name}" in path else {200, 201, 202, 303}
            expected = REFUSING.get(path, known)
            assert statuses.keys() & expected, path
    unexpected = {
        route: dict(statuses)
        for route, statuses in walk.door.statuses.items()
        if any(status >= 500 or status == 0 for status in statuses)
    }
    assert unexpected == {}


TRACES = (
    "answers", "log", "the service's folder", "the same while it ran",
    "registry, artifacts and model cache", "tables", "backup", "output of the commands",
)  # fmt: skip


@pytest.mark.parametrize("trace", TRACES)
def test_no_canary_survives(walk: Walk, trace: str):
    path = walk.evidence[trace]
    found = search_folder(path) if path.is_dir() else search(trace, path)
    assert not found, tell(found, walk.planter)


def test_what_was_searched_is_what_the_service_left(walk: Walk):
    """An empty file holds no canary either: each kind of evidence has what it must have."""
    assert walk.rows > 5 * EVERYONE
    assert walk.door.answers.stat().st_size > 1_000_000
    assert b"risk_assessments_total" in walk.door.answers.read_bytes()
    assert b'"event": "open_development_mode"' in (walk.site / "log").read_bytes() or walk.api_key
    assert b'"table":"accesses"' in gzip.decompress((walk.folder / "backup.gz").read_bytes())
    assert '"holds": true' in walk.output.read_text()
    if walk.postgres is None:
        assert (walk.folder / "alive" / "log-ledger.db-wal").stat().st_size > 0


def test_the_access_log_opened_gives_every_canary_back(walk: Walk):
    """They did go in: whoever has the key and gives a reason reads them as they were sent."""
    lines = [json.loads(line) for line in walk.opened.read_text().splitlines() if line[:1] == "{"]
    kept: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        for name, key in (("subject", "patient"), ("episode", "episode"), ("unit", "unit"),
                          ("user", "user"), ("reason", "reason")):  # fmt: skip
            kept[name].add(line[key])
    for name, sent in walk.identifiers.items():
        assert sent <= kept[name], name
    assert {one.number for one in search("opened", walk.opened)} == set(range(EVERYONE))


def test_the_database_keeps_no_canary_in_its_own_files(walk: Walk):
    """Pages and write-ahead log as they lie on disk; PostgreSQL's log has every statement in it."""
    if walk.postgres is None:
        files = sorted((walk.folder / "alive").glob("log-ledger.db*"))
        assert len(files) == 3
        found = [one for file in files for one in search(file.name, file)]
    else:
        assert b"INSERT INTO accesses" in walk.postgres.log.read_bytes()
        found = search("PostgreSQL's log", walk.postgres.log) + search_folder(walk.postgres.data)
    assert not found, tell(found, walk.planter)
