"""What was answered and what became of it: read back, reported, corrected, found after key changes.

The ledger's own rules stand in `unit/monitoring/ledger`; here they are asked for over HTTP and by
the operators' commands, and the database is looked into where an answer does not show enough.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest

from monitoring.ledger import new_identifier
from tests.lib.ledger import NOW_US, ask
from tests.lib.service import Service, run_command, running_service

ICU = "/v1/branch-points/icu-review/assessments"
SURGERY = "/v1/branch-points/surgery-decision/assessments"
MORNING, NOON, EVENING = "2026-11-21T08:00:00Z", "2026-11-21T12:00:00Z", "2026-11-21T18:00:00Z"
UNIT = "ward-31"
# Published test numbers of the tax agency; a number of another person for comparison.
TEST_NUMBER, ANOTHER, COORDINATION = "195009072553", "196101182803", "196109732393"
SPELLINGS = (
    TEST_NUMBER, "19500907-2553", "1950-09-07-2553", "1950-09-07 2553", " 19500907 2553 ",
    "1950.09.07-2553", "\uff11\uff19\uff15\uff10\uff10\uff19\uff10\uff17\uff12\uff15\uff15\uff13",
)  # fmt: skip
Document = dict[str, Any]


@pytest.fixture(scope="module")
def site(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with models and one declared care unit, and a ledger of its own."""
    log = tmp_path_factory.mktemp("records") / "log"
    with running_service(trained, log, {"RISK_CARE_UNITS": json.dumps([UNIT])}) as running:
        yield running


@pytest.fixture(scope="module")
def client(site: Service) -> Iterator[httpx.Client]:
    with site.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def measured(patients: Sequence[Document]) -> Document:
    """The held-out patient with most measurements."""
    found: Document = max((p["request"]["measurements"] for p in patients), key=len)
    return found


def assess(
    client: httpx.Client, measured: Mapping[str, Any], path: str = ICU, **fields: Any
) -> httpx.Response:
    reply = client.post(path, json={"index_time": NOON, "measurements": measured, **fields})
    assert reply.status_code == 200, reply.text
    return reply


def assessed(client: httpx.Client, measured: Mapping[str, Any], **fields: Any) -> Document:
    answer: Document = assess(client, measured, **fields).json()
    return answer


def row(site: Service, answer: Mapping[str, Any]) -> Document:
    """The ledger's row of an assessment, read by SQL."""
    names = ("subject_id", "episode_id", "unit", "protected", "inputs", "tenant", "branch_point")
    (found,) = ask(
        site.settings["RISK_DATABASE_URL"],
        f"SELECT {', '.join(names)} FROM assessments WHERE assessment_id = :id",  # noqa: S608
        id=answer["assessment_id"],
    )
    return dict(zip(names, found, strict=True))


def problem(reply: httpx.Response, status: int) -> Document:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    document: Document = reply.json()
    return document


# --- assessments


def test_an_answer_is_read_back_byte_for_byte(client: httpx.Client, measured: Document):
    given = assess(client, measured, subject=TEST_NUMBER, episode="bytes", unit=UNIT)
    read = client.get(f"/v1/assessments/{given.json()['assessment_id']}")
    assert (read.status_code, read.content) == (200, given.content)
    assert read.headers["content-type"] == given.headers["content-type"]


def test_a_line_of_a_batch_is_read_back_byte_for_byte(client: httpx.Client, measured: Document):
    line = json.dumps({"index_time": NOON, "measurements": measured})
    given = client.post(f"{ICU}:batch", content=f"{line}\n{line}\n").content.splitlines()
    assert len(given) == 2
    for answer in given:
        read = client.get(f"/v1/assessments/{json.loads(answer)['assessment_id']}")
        assert read.content == answer


@pytest.mark.parametrize(
    "identifier",
    [
        pytest.param(new_identifier(NOW_US), id="one made now"),
        pytest.param(new_identifier(0), id="one made in 1970"),
        "00000000-0000-0000-0000-000000000000",
        "6fa459ea-ee8a-4ca4-894e-db77e160355e",
        TEST_NUMBER,
        "19500907-2553",
        "x",
        "x" * 2000,
        "%00",
        "' OR 1=1 --",
        "..%2F..%2Fetc",
        "å",
    ],
)
def test_an_assessment_that_is_not_there_is_not_found_and_not_repeated(
    client: httpx.Client, identifier: str
):
    reply = client.get(f"/v1/assessments/{identifier}")
    assert problem(reply, 404)["status"] == 404
    assert identifier == "x" or identifier not in reply.text


def test_an_identifier_in_capitals_is_another(client: httpx.Client, measured: Document):
    name = assessed(client, measured)["assessment_id"]
    assert name.upper() != name
    problem(client.get(f"/v1/assessments/{name.upper()}"), 404)


# --- episodes


def test_an_episode_is_its_assessments_in_time_order_with_each_outcomes_path(
    client: httpx.Client, measured: Document
):
    fields = {"subject": TEST_NUMBER, "episode": "case-in-order"}
    evening = assessed(client, measured, index_time=EVENING, **fields)
    morning = assessed(client, {"age": measured["age"]}, index_time=MORNING, path=SURGERY, **fields)
    noon = assessed(client, {**measured, "heart_rate": 150}, **fields)
    assessed(client, measured, episode="another case")
    found = client.post("/v1/episodes:find", json={"episode": " case-in-order "})
    assert found.status_code == 200
    document = found.json()
    in_order = [morning, noon, evening]
    assert document["assessments"] == in_order
    assert document["episode_id"] == evening["episode_id"]
    assert client.get(f"/v1/episodes/{document['episode_id']}").json() == document
    path = document["trajectory"]["death_180d"]
    assert [(p["assessment_id"], p["index_time"]) for p in path] == [
        (a["assessment_id"], a["index_time"]) for a in (noon, evening)
    ]
    assert [p["probability"] for p in path] == [
        outcome["probability"]
        for answer in (noon, evening)
        for outcome in answer["outcomes"]
        if outcome["outcome"] == "death_180d"
    ]
    assert path[0]["probability"] != path[1]["probability"]
    assert "change" not in path[0]
    moved = path[1]["change"]
    assert moved["since"] == noon["assessment_id"]
    parts = moved["base_value"] + sum(feature["change"] for feature in moved["features"])
    assert parts == pytest.approx(moved["score"], abs=1e-6)
    pulse = next(feature for feature in moved["features"] if feature["feature"] == "heart_rate")
    assert (pulse["before"], pulse["after"]) == (150, measured["heart_rate"])
    (at_surgery,) = document["trajectory"]["death_30d"]
    assert (at_surgery["branch_point"], at_surgery["status"]) == ("surgery-decision", "abstained")
    assert at_surgery["reason"] == "no_model"
    assert "case-in-order" not in found.text


@pytest.mark.parametrize(
    "identifier", ["e1-" + "a" * 40, "case-7731", TEST_NUMBER, "' OR ''='", "%00", "x" * 2000]
)
def test_an_episode_that_is_not_there_is_not_found(client: httpx.Client, identifier: str):
    found = problem(client.get(f"/v1/episodes/{identifier}"), 404)
    sought = problem(client.post("/v1/episodes:find", json={"episode": identifier[:200]}), 404)
    assert found == sought
    assert identifier not in str(found)


@pytest.mark.parametrize(
    ("sent", "status", "pointer", "code"),
    [
        (b"", 400, None, None),
        (b"{", 400, None, None),
        (b'{"episode": "a", "episode": "b"}', 400, None, None),
        (b"[]", 422, "", "invalid_value"),
        (b"{}", 422, "/episode", "invalid_value"),
        (b'{"episode": null}', 422, "/episode", "invalid_value"),
        (b'{"episode": 7731}', 422, "/episode", "invalid_value"),
        (b'{"episode": ""}', 422, "/episode", "invalid_value"),
        (b'{"episode": "' + b"x" * 201 + b'"}', 422, "/episode", "invalid_value"),
        (b'{"episode": "a", "195009072553": 1}', 422, "/1", "unknown_field"),
    ],
)
def test_a_search_that_cannot_be_used_is_told_where_and_why(
    client: httpx.Client, sent: bytes, status: int, pointer: str | None, code: str | None
):
    reply = client.post("/v1/episodes:find", content=sent)
    document = problem(reply, status)
    told = [(error["pointer"], error["code"]) for error in document.get("errors", [])]
    assert told == ([] if pointer is None else [(pointer, code)])
    assert TEST_NUMBER not in reply.text


def test_a_blank_episode_is_nobodys(client: httpx.Client, measured: Document, site: Service):
    answer = assessed(client, measured, episode="   ", subject=" ")
    assert answer["episode_id"] is None
    assert row(site, answer)["subject_id"] is None
    problem(client.post("/v1/episodes:find", json={"episode": "   "}), 404)


# --- outcomes


def report(client: httpx.Client, **fields: Any) -> httpx.Response:
    sent = {"outcome": "death_180d", "value": True, "observed_at": NOON, **fields}
    return client.post("/v1/outcomes", json={k: v for k, v in sent.items() if v is not ...})


def outcomes_of(site: Service, answer: Mapping[str, Any]) -> list[tuple[str, float, bool]]:
    """What is kept of an assessment's outcomes: name, value, whether it corrects another."""
    rows = ask(
        site.settings["RISK_DATABASE_URL"],
        "SELECT outcome, value, corrects_seq FROM outcomes WHERE assessment_id = :id ORDER BY seq",
        id=answer["assessment_id"],
    )
    return [(outcome, value, corrects is not None) for outcome, value, corrects in rows]


def test_an_outcome_is_new_then_known_then_contradicted_then_corrected(
    client: httpx.Client, site: Service, measured: Document
):
    answer = assessed(client, measured)
    which = {"assessment_id": answer["assessment_id"]}
    told = [
        (reply.status_code, reply.json().get("status"))
        for reply in (
            report(client, **which),
            report(client, **which),
            report(client, **which, observed_at=EVENING),
            report(client, **which, value=False),
            report(client, **which, value=False, correction=False),
            report(client, **which, value=False, correction=True),
            report(client, **which, value=False, correction=True),
            report(client, **which, value=False),
            report(client, **which, value=True),
            report(client, **which, outcome="prolonged_stay", value=False, correction=True),
        )
    ]
    assert told == [
        (201, "recorded"), (200, "already_recorded"), (200, "already_recorded"), (409, 409),
        (409, 409), (201, "corrected"), (200, "already_recorded"), (200, "already_recorded"),
        (409, 409), (201, "recorded"),
    ]  # fmt: skip
    # A correction is appended: what was first said stays.
    assert outcomes_of(site, answer) == [
        ("death_180d", 1.0, False), ("death_180d", 0.0, True), ("prolonged_stay", 0.0, False),
    ]  # fmt: skip


def test_a_numeric_outcome_is_a_number_within_its_bounds(
    client: httpx.Client, site: Service, measured: Document
):
    answer = assessed(client, measured)
    which = {"assessment_id": answer["assessment_id"]}
    for outcome, value in (
        ("length_of_stay_days", 12.5), ("days_at_home_30d", 30), ("cost_sek", 123456.7),
    ):  # fmt: skip
        reply = report(client, **which, outcome=outcome, value=value)
        assert (reply.status_code, reply.json()["outcome"]) == (201, outcome)
    # To four significant digits, as every measurement.
    assert outcomes_of(site, answer) == [
        ("length_of_stay_days", 12.5, False), ("days_at_home_30d", 30.0, False),
        ("cost_sek", 123500.0, False),
    ]  # fmt: skip


def test_an_outcome_of_nobody_known_is_not_found_or_kept_for_later(
    client: httpx.Client, site: Service, measured: Document
):
    problem(report(client, assessment_id=new_identifier(NOW_US)), 404)
    problem(report(client, assessment_id="no-identifier"), 404)
    unknown = {"subject": ANOTHER, "episode": "later"}
    first = report(client, **unknown)
    assert (first.status_code, first.json()["status"]) == (202, "kept_for_linkage")
    assert report(client, **unknown).status_code == 200
    problem(report(client, **unknown, value=False), 409)
    answer = assessed(client, measured, **unknown)
    assert report(client, **unknown).status_code == 200
    assert report(client, **unknown, outcome="prolonged_stay").status_code == 201
    kept = ask(
        site.settings["RISK_DATABASE_URL"],
        "SELECT outcome, subject_id, episode_id FROM outcomes WHERE episode_id = :id ORDER BY seq",
        id=answer["episode_id"],
    )
    subject_id = row(site, answer)["subject_id"]
    assert kept == [
        (outcome, subject_id, answer["episode_id"]) for outcome in ("death_180d", "prolonged_stay")
    ]


def test_an_outcome_in_the_future_is_kept_with_a_warning(client: httpx.Client, measured: Document):
    which = {"assessment_id": assessed(client, measured)["assessment_id"]}
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    reply = report(client, **which, observed_at=tomorrow)
    assert reply.status_code == 201
    assert [warning["code"] for warning in reply.json()["warnings"]] == ["later_than_now"]
    assert report(client, **which, outcome="prolonged_stay").json()["warnings"] == []


WHO = {"assessment_id": "x"}
VALUE, WHOSE = ("/value", "invalid_value"), ("", "invalid_value")


@pytest.mark.parametrize(
    ("sent", "faults"),
    [
        (WHO | {"value": 1}, [VALUE]),
        (WHO | {"value": 0.0}, [VALUE]),
        (WHO | {"value": "true"}, [VALUE]),
        (WHO | {"value": None}, [VALUE]),
        (WHO | {"value": ...}, [VALUE]),
        (WHO | {"outcome": "length_of_stay_days", "value": True}, [VALUE]),
        (WHO | {"outcome": "length_of_stay_days", "value": "12"}, [VALUE]),
        (WHO | {"outcome": "length_of_stay_days", "value": -1}, [VALUE]),
        (WHO | {"outcome": "days_at_home_30d", "value": 31}, [VALUE]),
        (WHO | {"outcome": "cost_sek", "value": 10**400}, [VALUE]),
        (WHO | {"outcome": "cost_sek", "value": [1]}, [VALUE]),
        (WHO | {"outcome": TEST_NUMBER}, [("/outcome", "unknown_outcome")]),
        (WHO | {"outcome": None}, [("/outcome", "unknown_outcome")]),
        (WHO | {"outcome": ["death_180d"]}, [("/outcome", "unknown_outcome")]),
        (WHO | {"observed_at": ...}, [("/observed_at", "invalid_value")]),
        (WHO | {"observed_at": "2026-11-21"}, [("/observed_at", "invalid_value")]),
        (WHO | {"observed_at": "2026-11-21T12:00:00"}, [("/observed_at", "invalid_value")]),
        (WHO | {"observed_at": "2026-02-30T12:00:00Z"}, [("/observed_at", "invalid_value")]),
        (WHO | {"observed_at": 1_795_000_000}, [("/observed_at", "invalid_value")]),
        (WHO | {"correction": "yes"}, [("/correction", "invalid_value")]),
        (WHO | {"correction": 1}, [("/correction", "invalid_value")]),
        ({}, [WHOSE]),
        (WHO | {"subject": "s", "episode": "e"}, [WHOSE]),
        ({"assessment_id": 7}, [("/assessment_id", "invalid_value")]),
        ({"assessment_id": ""}, [("/assessment_id", "invalid_value")]),
        ({"subject": ["s"]}, [("/subject", "invalid_value")]),
        ({"episode": "x" * 201}, [("/episode", "invalid_value")]),
        (WHO | {TEST_NUMBER: 1}, [("/4", "unknown_field")]),
        (
            WHO | {"outcome": "x", "observed_at": "y", "correction": "z"},
            [
                ("/observed_at", "invalid_value"), ("/outcome", "unknown_outcome"),
                ("/correction", "invalid_value"),
            ],
        ),
    ],
    ids=lambda given: str(given)[:60],
)  # fmt: skip
def test_a_report_that_cannot_be_used_is_told_every_fault_and_nothing_is_kept(
    client: httpx.Client, site: Service, sent: Document, faults: list[tuple[str, str]]
):
    count = "SELECT count(*) FROM outcomes"
    before = ask(site.settings["RISK_DATABASE_URL"], count)
    # The report's own order of fields, so that an unknown one stands at a known position.
    base = {"outcome": "death_180d", "value": True, "observed_at": NOON}
    reply = report(client, **{**base, **sent})
    document = problem(reply, 422)
    assert [(error["pointer"], error["code"]) for error in document["errors"]] == faults
    assert TEST_NUMBER not in reply.text
    assert ask(site.settings["RISK_DATABASE_URL"], count) == before


@pytest.mark.parametrize("sent", [b"", b"{", b'{"value": NaN}', b"\xff", b'{"value":1,"value":2}'])
def test_a_report_that_is_not_json_is_malformed(client: httpx.Client, sent: bytes):
    problem(client.post("/v1/outcomes", content=sent), 400)


def test_of_twenty_reports_of_the_same_at_once_one_is_new(
    client: httpx.Client, site: Service, measured: Document
):
    answer = assessed(client, measured)
    which = {"assessment_id": answer["assessment_id"]}
    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda _: report(client, **which).status_code, range(20)))
    assert Counter(done) == {201: 1, 200: 19}
    assert outcomes_of(site, answer) == [("death_180d", 1.0, False)]


def test_of_twenty_reports_that_contradict_at_once_one_side_is_kept(
    client: httpx.Client, site: Service, measured: Document
):
    answer = assessed(client, measured)
    which = {"assessment_id": answer["assessment_id"]}
    with ThreadPoolExecutor(20) as pool:
        done = list(
            pool.map(lambda n: report(client, **which, value=n % 2 == 0).status_code, range(20))
        )
    assert Counter(done) == {201: 1, 200: 9, 409: 10}
    assert len(outcomes_of(site, answer)) == 1


# --- what is kept of a person


def test_of_a_protected_identity_no_pseudonym_is_made_and_no_unit_is_kept(
    client: httpx.Client, site: Service, measured: Document
):
    whose = {"subject": ANOTHER, "episode": "protected case", "unit": UNIT}
    answer = assessed(client, measured, **whose, protected_identity=True)
    assert answer["episode_id"] is None
    assert "protected_identity" in [warning["code"] for warning in answer["warnings"]]
    kept = row(site, answer)
    assert (kept["subject_id"], kept["episode_id"], kept["unit"]) == (None, None, None)
    assert kept["protected"]
    problem(client.post("/v1/episodes:find", json={"episode": "protected case"}), 404)
    again = client.get(f"/v1/assessments/{answer['assessment_id']}")
    assert again.json() == answer
    open_answer = assessed(client, measured, **whose, protected_identity=False)
    assert row(site, open_answer)["subject_id"] is not None
    assert not row(site, open_answer)["protected"]


def test_a_unit_is_kept_when_it_is_declared(
    client: httpx.Client, site: Service, measured: Document
):
    declared = assessed(client, measured, unit=UNIT)
    other = assessed(client, measured, unit="Anna Andersson, ward 4")
    assert row(site, declared)["unit"] == UNIT
    assert row(site, other)["unit"] is None
    warned = [[w["code"] for w in answer["warnings"]] for answer in (declared, other)]
    assert ["undeclared_unit" in codes for codes in warned] == [False, True]
    assert "Andersson" not in json.dumps(other)


def test_one_person_in_any_spelling_has_one_pseudonym(
    client: httpx.Client, site: Service, measured: Document
):
    keyed = {s: row(site, assessed(client, measured, subject=s))["subject_id"] for s in SPELLINGS}
    assert len(set(keyed.values())) == 1
    (pseudonym,) = set(keyed.values())
    assert re.fullmatch(r"s1-[a-p]{40}", pseudonym)
    others = (ANOTHER, COORDINATION, "5009072553", "500907-2553", "500907+2553", "case 7731")
    apart = {row(site, assessed(client, measured, subject=s))["subject_id"] for s in others}
    # Ten digits do not tell the century: each spelling stays apart, two people are never made one.
    assert len(apart | {pseudonym}) == len(others) + 1


def test_the_same_text_as_subject_and_as_episode_has_two_pseudonyms(
    client: httpx.Client, site: Service, measured: Document
):
    kept = row(site, assessed(client, measured, subject="7731-a", episode="7731-a"))
    assert kept["subject_id"][3:] != kept["episode_id"][3:]


# --- keys that change


@contextmanager
def run_of(folder: Path) -> Iterator[tuple[httpx.Client, Service]]:
    """One run of a service whose ledger and keys stay in the folder; it has no models."""
    with (
        running_service(folder / "var", folder / "log", until=None) as service,
        service.client() as client,
    ):
        yield client, service


def settings_of(folder: Path) -> dict[str, str]:
    return {
        "RISK_DATABASE_URL": f"sqlite:///{folder / 'log-ledger.db'}",
        "RISK_KEYS_FILE": str(folder / "log-keys.toml"),
    }


def operator(
    folder: Path, *arguments: str, given: str | None = None, check: bool = True
) -> CompletedProcess[str]:
    """A command of the operator's, with the settings of the service in the folder."""
    return run_command(
        "risk-serve", *arguments, var=folder / "var", settings=settings_of(folder), given=given,
        check=check,
    )  # fmt: skip


def one_line(done: CompletedProcess[str]) -> str:
    """The one line of an error that was expected."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("risk-serve: ")
    return done.stderr


def change_keys(folder: Path, purpose: str, version: int, secret: str | None) -> str:
    """Take a version out of the keyring, or give it another secret; returns the file before."""
    file = folder / "log-keys.toml"
    before = file.read_text()
    held = tomllib.loads(before)
    if secret is None:
        del held[purpose][str(version)]
    else:
        held[purpose][str(version)] = secret
    file.write_text(
        "".join(
            f"[{name}]\n" + "".join(f'{v} = "{key}"\n' for v, key in versions.items())
            for name, versions in held.items()
        )
    )
    return before


WHOSE_CASE = {"subject": TEST_NUMBER, "episode": "case-7731"}
AGE = {"age": 71}


def find(client: httpx.Client, episode: str = "case-7731") -> Document:
    found: Document = client.post("/v1/episodes:find", json={"episode": episode}).json()
    return found


def test_an_episode_stays_whole_over_a_change_of_the_pseudonym_key(tmp_path: Path):
    with run_of(tmp_path) as (client, _):
        old = assessed(client, AGE, index_time=MORNING, **WHOSE_CASE)
        assert report(client, **WHOSE_CASE).status_code == 201
        # Of this patient no pseudonym is made, by re-linking neither.
        assessed(client, AGE, subject=ANOTHER, episode="hidden", protected_identity=True)
    rotated = json.loads(operator(tmp_path, "keys", "rotate", "pseudonym", "--json").stdout)
    assert (rotated["purpose"], rotated["version"]) == ("pseudonym", 2)
    with run_of(tmp_path) as (client, _):
        new = assessed(client, AGE, index_time=EVENING, **WHOSE_CASE)
        assert [a["episode_id"][:3] for a in (old, new)] == ["e1-", "e2-"]
        assert find(client)["assessments"] == [old, new]
        assert find(client)["episode_id"] == new["episode_id"]
        # By its pseudonym alone nobody can tell yet that the older is the same episode.
        by_new = f"/v1/episodes/{new['episode_id']}"
        assert client.get(by_new).json()["assessments"] == [new]
        assert report(client, **WHOSE_CASE).status_code == 200
        linked = json.loads(
            operator(tmp_path, "keys", "relink", "--reason", "yearly change", "--json").stdout
        )
        assert linked == {"identifiers": 2, "links": 2, "retired": [1]}
        for answer in (old, new):
            read = client.get(f"/v1/episodes/{answer['episode_id']}").json()
            assert read["assessments"] == [old, new]
        again = json.loads(
            operator(tmp_path, "keys", "relink", "--reason", "once more", "--json").stdout
        )
        assert again["links"] == 0
    change_keys(tmp_path, "pseudonym", 1, None)
    with run_of(tmp_path) as (client, service):
        assert find(client)["assessments"] == [old, new]
        assert report(client, **WHOSE_CASE).status_code == 200
        problem(report(client, **WHOSE_CASE, value=False), 409)
        last = assessed(client, AGE, index_time="2026-11-21T20:00:00Z", **WHOSE_CASE)
        assert find(client)["assessments"] == [old, new, last]
        verified = run_command("risk-monitor", "verify", var=tmp_path, settings=service.settings)
        assert verified.returncode == 0


def test_with_a_key_gone_that_was_not_relinked_or_another_it_does_not_start(tmp_path: Path):
    """With other keys every patient would get a second pseudonym, and nobody would notice."""
    with run_of(tmp_path) as (client, _):
        assessed(client, AGE, **WHOSE_CASE)
    operator(tmp_path, "keys", "rotate", "pseudonym")
    for purpose, version, secret in (
        ("pseudonym", 1, None), ("pseudonym", 1, "ab" * 32), ("ledger", 1, "cd" * 32),
    ):  # fmt: skip
        before = change_keys(tmp_path, purpose, version, secret)
        line = one_line(operator(tmp_path, "run", "--port", "0", check=False))
        assert "key" in line
        assert "ab" * 8 not in line
        (tmp_path / "log-keys.toml").write_text(before)


# --- the access log


def lines(folder: Path, *options: str, given: str | None = None) -> list[Document]:
    done = operator(folder, "access-log", "--json", *options, given=given)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a service that was used by a few people, and is stopped."""
    folder = tmp_path_factory.mktemp("used")
    with run_of(folder) as (client, _):
        answer = assessed(client, AGE, unit=UNIT, **WHOSE_CASE)
        client.get(f"/v1/assessments/{answer['assessment_id']}")
        find(client)
        report(client, assessment_id=answer["assessment_id"])
        report(client, **WHOSE_CASE, outcome="sepsis")
        assessed(client, AGE, subject=ANOTHER, protected_identity=True)
        # What was refused or not found touched nobody's data.
        client.get(f"/v1/assessments/{new_identifier(NOW_US)}")
        client.post(ICU, content=b"{")
    return folder


def test_every_action_stands_in_the_access_log_with_who_when_and_which_patient(used: Path):
    start = datetime.now(UTC) - timedelta(minutes=10)
    log = lines(used, "--reason", "systematic check")
    shown = [(line["action"], line["patient"], line["episode"]) for line in log[:6]]
    assert shown == [
        ("assess", TEST_NUMBER, "case-7731"),
        ("read_assessment", None, None),
        ("read_episode", None, "case-7731"),
        ("record_outcome", None, None),
        ("record_outcome", TEST_NUMBER, "case-7731"),
        ("assess", ANOTHER, None),
    ]
    assert {line["action"] for line in log[6:]} == {"read_access_log"}
    assert {line["client"] for line in log[:6]} == {"open"}
    assert {line["tenant"] for line in log[:6]} == {"default"}
    assert [line["unit"] for line in log[:2]] == [UNIT, None]
    assert log[0]["assessment_id"] == log[1]["assessment_id"] == log[3]["assessment_id"]
    # Where no patient was named, the pseudonym of the assessment's own says who it was.
    assert log[0]["subject_id"] == log[1]["subject_id"] == log[2]["subject_id"]
    assert log[5]["subject_id"] is None
    times = [datetime.fromisoformat(line["at"]) for line in log]
    assert times == sorted(times)
    assert start < times[0] <= datetime.now(UTC)


def test_reading_the_access_log_is_itself_a_line_of_it(used: Path):
    before = lines(used, "--reason", "first look")
    after = lines(used, "--reason", "second look")
    assert after[: len(before)] == before
    (added,) = after[len(before) :]
    assert (added["action"], added["reason"], added["client"]) == (
        "read_access_log", "second look", "command line",
    )  # fmt: skip
    assert before[-1]["reason"] == "first look"
    assert added["user"]


@pytest.mark.parametrize("spelling", [TEST_NUMBER, "19500907-2553", "1950-09-07 2553"])
def test_a_patients_extract_holds_their_lines_and_nobody_elses(used: Path, spelling: str):
    extract = lines(used, "--reason", "the patient asked", "--patient", given=f"{spelling}\n")
    assert [line["action"] for line in extract] == [
        "assess", "read_assessment", "read_episode", "record_outcome", "record_outcome",
    ]  # fmt: skip
    assert {line["patient"] for line in extract} == {TEST_NUMBER, None}


def test_a_protected_patients_extract_is_found_by_the_number(used: Path):
    extract = lines(used, "--reason", "the patient asked", "--patient", given=f"{ANOTHER}\n")
    assert [(line["action"], line["patient"]) for line in extract] == [("assess", ANOTHER)]


def test_a_period_is_read_by_its_days(used: Path):
    today = datetime.now(UTC).date()
    tomorrow, yesterday = today + timedelta(days=1), today - timedelta(days=1)
    period = ["--since", str(yesterday), "--until", str(tomorrow)]
    assert len(lines(used, "--reason", "a period", *period)) >= 7
    assert lines(used, "--reason", "a period", "--until", str(yesterday)) == []
    assert lines(used, "--reason", "a period", "--since", str(tomorrow)) == []


@pytest.mark.parametrize(
    ("options", "given", "told"),
    [
        (["--reason", ""], None, "a reason is needed"),
        (["--reason", "  "], None, "a reason is needed"),
        (["--reason", "why", "--patient"], "", "a patient's number was expected"),
        (["--reason", "why", "--patient"], " \n", "a patient's number was expected"),
    ],
)
def test_without_a_reason_or_a_patient_it_is_not_read(
    used: Path, options: list[str], given: str | None, told: str
):
    count = "SELECT count(*) FROM accesses"
    before = ask(settings_of(used)["RISK_DATABASE_URL"], count)
    assert told in one_line(operator(used, "access-log", *options, given=given, check=False))
    assert ask(settings_of(used)["RISK_DATABASE_URL"], count) == before


def test_without_the_option_for_a_reason_the_usage_says_so(used: Path):
    done = operator(used, "access-log", check=False)
    assert done.returncode == 2
    assert "--reason" in done.stderr


def test_with_another_key_the_access_log_is_neither_read_nor_added_to(used: Path):
    """A line sealed with a key that is not kept could never be opened, by nobody."""
    count = "SELECT count(*) FROM accesses"
    recorded = ask(settings_of(used)["RISK_DATABASE_URL"], count)
    before = change_keys(used, "access_log", 1, "ef" * 32)
    try:
        line = one_line(operator(used, "access-log", "--reason", "why", "--json", check=False))
        assert "another `access_log` key of version 1" in line
        line = one_line(operator(used, "run", "--port", "0", check=False))
        assert "another `access_log` key of version 1" in line
    finally:
        (used / "log-keys.toml").write_text(before)
    assert ask(settings_of(used)["RISK_DATABASE_URL"], count) == recorded
    assert lines(used, "--reason", "the right key again")


def test_after_a_change_of_its_key_the_access_log_is_read_from_its_beginning(used: Path):
    before = lines(used, "--reason", "under the first key")
    operator(used, "keys", "rotate", "access_log")
    after = lines(used, "--reason", "under the second key")
    assert after[: len(before)] == before
    assert after[-1]["reason"] == "under the second key"
    kept = change_keys(used, "access_log", 1, None)
    assert "another `access_log` key of version 1" in one_line(
        operator(used, "access-log", "--reason", "why", check=False)
    )
    (used / "log-keys.toml").write_text(kept)


def test_the_table_for_people_names_the_patient_and_that_it_was_logged(used: Path):
    done = operator(used, "access-log", "--reason", "a look at the table")
    assert "this reading was logged" in done.stderr
    assert "Access log" in done.stdout
