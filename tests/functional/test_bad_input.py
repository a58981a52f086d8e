"""Whatever is sent, the answer is a problem that says where and why, and never what was sent.

Every case plants a canary: a personal number, a name or a number that no patient has. None of them
may come back in a body, a header, a metric or a log line.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from app.schemas.documents import AssessmentAnswer, ProblemDocument
from tests.lib.service import Service

PERSON = "195009072553"
NAME = "Kanariefågelsson"
NUMBER = 8675309.25
CANARIES = (PERSON, NAME, "8675309", NAME.encode().decode("latin-1"))

ICU = "/v1/branch-points/icu-review/assessments"
OPERATION = "/v1/branch-points/surgery-decision/assessments"
LIMIT_BYTES = 1_048_576
NOON = "2026-11-21T12:00:00Z"
VITALS: dict[str, Any] = {
    "age": 71, "heart_rate": 95, "map": 70, "resp_rate": 20, "temperature": 37.1,
}  # fmt: skip


def body(measurements: object, **fields: object) -> bytes:
    return json.dumps({"measurements": measurements, **fields}, ensure_ascii=False).encode()


def one(feature: str, value: object, **fields: object) -> bytes:
    return body({feature: value}, subject=PERSON, **fields)


def at(time: object) -> bytes:
    return body({"creatinine": {"value": NUMBER, "time": time}}, index_time=NOON)


def literal(text: str) -> bytes:
    """A measurement that `json.dumps` would not write."""
    return f'{{"subject": "{PERSON}", "measurements": {{"creatinine": {text}}}}}'.encode()


# name: body, pointer, code, what the detail must offer
UNUSABLE: dict[str, tuple[bytes, str, str, str]] = {
    "a personal number as a feature name": (
        body({"age": 71, PERSON: 1}), "/measurements/1", "unknown_feature", "GET /v1/features",
    ),
    "a person's name as a feature name": (
        body({NAME: True}), "/measurements/0", "unknown_feature", "not in the dictionary",
    ),
    "a typing error in a feature name": (
        body({"creatinin": NUMBER}), "/measurements/0", "unknown_feature", "creatinine",
    ),
    "a feature name in capitals": (
        body({"CREATININE": NUMBER}), "/measurements/0", "unknown_feature", "near names: creatinine",
    ),
    "a feature name of nearly 1 MB": (
        body({PERSON * 80_000: 1}), "/measurements/0", "unknown_feature", "GET /v1/features",
    ),
    "an empty feature name": (
        body({"": NUMBER}), "/measurements/0", "unknown_feature", "GET /v1/features",
    ),
    "a lone surrogate as a feature name": (
        literal("1").replace(b"creatinine", b"\\ud800"), "/measurements/0", "unknown_feature", "",
    ),
    "a unit that does not exist": (
        one("creatinine", {"value": NUMBER, "unit": PERSON}),
        "/measurements/creatinine", "unit_not_convertible", "umol/L",
    ),
    "a unit of another quantity": (
        one("creatinine", {"value": NUMBER, "unit": "mm[Hg]"}),
        "/measurements/creatinine", "unit_not_convertible", "mg/dL",
    ),
    "a unit on a category": (
        one("sex", {"value": "male", "unit": PERSON}),
        "/measurements/sex", "unit_not_convertible", "has no unit",
    ),
    "a unit that is a number": (
        one("creatinine", {"value": 90, "unit": NUMBER}),
        "/measurements/creatinine/unit", "invalid_value", "string",
    ),
    "text where a number is expected": (
        one("creatinine", PERSON), "/measurements/creatinine", "invalid_value", "umol/L",
    ),
    "true where a number is expected": (
        one("creatinine", value=True), "/measurements/creatinine", "invalid_value", "number",
    ),
    "a list where a number is expected": (
        one("creatinine", [NUMBER]), "/measurements/creatinine", "invalid_value", "number",
    ),
    "an object within a value": (
        one("creatinine", {"value": {"value": NUMBER}}),
        "/measurements/creatinine", "invalid_value", "number",
    ),
    "a number where a flag is expected": (
        one("dementia", NUMBER), "/measurements/dementia", "invalid_value", "true or false",
    ),
    "text where a flag is expected": (
        one("dementia", NAME), "/measurements/dementia", "invalid_value", "true or false",
    ),
    "a number where a category is expected": (
        one("sex", NUMBER), "/measurements/sex", "invalid_value", "string",
    ),
    "a category that is not declared": (
        one("sex", NAME), "/measurements/sex", "invalid_value", "female, male",
    ),
    "a value of nearly 1 MB": (
        one("sex", PERSON * 80_000), "/measurements/sex", "invalid_value", "female, male",
    ),
    "a code of the wrong form": (
        one("diagnosis", NAME), "/measurements/diagnosis", "invalid_value", "form",
    ),
    "a measurement without its value": (
        one("creatinine", {"unit": "mg/dL"}),
        "/measurements/creatinine", "invalid_value", "expects `value`",
    ),
    "a measurement with an unknown key": (
        one("creatinine", {"value": NUMBER, PERSON: 1}),
        "/measurements/creatinine", "invalid_value", "may have `unit` and `time`",
    ),
    "1e999": (literal("1e999"), "/measurements/creatinine", "invalid_value", "finite"),
    "minus 1e999": (literal("-1e999"), "/measurements/creatinine", "invalid_value", "finite"),
    "a whole number beyond any float": (
        literal("9" * 400), "/measurements/creatinine", "invalid_value", "finite",
    ),
    "1e308 in a unit that makes it infinite": (
        literal('{"value": 1e308, "unit": "mg/dL"}'),
        "/measurements/creatinine", "invalid_value", "finite",
    ),
    "a feature known only at discharge": (
        one("injury_iss", NUMBER),
        "/measurements/injury_iss", "not_available_at_branch_point", "discharge",
    ),
    "an index time without offset": (
        one("age", 71, index_time="2026-11-21T12:00:00"), "/index_time", "invalid_value", "RFC 3339",
    ),
    "an index time that is a date": (
        one("age", 71, index_time="2026-11-21"), "/index_time", "invalid_value", "RFC 3339",
    ),
    "an index time that is a number": (
        one("age", 71, index_time=NUMBER), "/index_time", "invalid_value", "RFC 3339",
    ),
    "an index time that is a personal number": (
        one("age", 71, index_time=PERSON), "/index_time", "invalid_value", "RFC 3339",
    ),
    "an index time before year 1 in UTC": (
        one("age", 71, index_time="0001-01-01T00:00:00+14:00"),
        "/index_time", "invalid_value", "RFC 3339",
    ),
    "an index time after year 9999 in UTC": (
        one("age", 71, index_time="9999-12-31T23:59:59-14:00"),
        "/index_time", "invalid_value", "RFC 3339",
    ),
    "an index time with an offset of 99 hours": (
        one("age", 71, index_time="2026-11-21T12:00:00+99:00"),
        "/index_time", "invalid_value", "RFC 3339",
    ),
    "a measurement time without offset": (
        at("2026-11-21T08:00:00"), "/measurements/creatinine/time", "invalid_value", "RFC 3339",
    ),
    "a measurement time in month 13": (
        at("2026-13-01T00:00:00Z"), "/measurements/creatinine/time", "invalid_value", "RFC 3339",
    ),
    "a measurement time in year 0": (
        at("0000-01-01T00:00:00Z"), "/measurements/creatinine/time", "invalid_value", "RFC 3339",
    ),
    "a measurement time before year 1 in UTC": (
        at("0001-01-01T00:00:00+23:59"), "/measurements/creatinine/time", "invalid_value", "RFC",
    ),
    "a measurement time in Arabic digits": (
        at("٢٠٢٦-11-21T08:00:00Z"), "/measurements/creatinine/time", "invalid_value", "RFC 3339",
    ),
    "a measurement time that is an object": (
        at({PERSON: NUMBER}), "/measurements/creatinine/time", "invalid_value", "RFC 3339",
    ),
    "an unknown outcome": (
        body(VITALS, outcomes=["death_180d", NAME]), "/outcomes/1", "unknown_outcome", "death_180d",
    ),
    "an outcome of another branch point": (
        body(VITALS, subject=PERSON, outcomes=["readmission_30d"]),
        "/outcomes/0", "unknown_outcome", "death_180d",
    ),
    "an outcome that is an object": (
        body(VITALS, outcomes=[{PERSON: 1}]), "/outcomes/0", "unknown_outcome", "death_180d",
    ),
    "outcomes that are no list": (
        body(VITALS, outcomes=PERSON), "/outcomes", "invalid_value", "list",
    ),
    "an unknown part to include": (
        body(VITALS, include=[NAME]), "/include/0", "invalid_value", "measure_next",
    ),
    "include that is no list": (
        body(VITALS, include={PERSON: 1}), "/include", "invalid_value", "list",
    ),
    "an unknown field": (
        body(VITALS, **{PERSON: 1}), "/1", "unknown_field", "measurements",
    ),
    "a subject that is a number": (
        body(VITALS, subject=NUMBER), "/subject", "invalid_value", "string",
    ),
    "a subject of 201 characters": (
        body(VITALS, subject=(PERSON * 17)[:201]), "/subject", "invalid_value", "200",
    ),
    "an empty episode": (
        body(VITALS, subject=PERSON, episode=""), "/episode", "invalid_value", "1 to 200",
    ),
    "a unit that is a list": (
        body(VITALS, unit=[NAME]), "/unit", "invalid_value", "string",
    ),
    "measurements left out": (
        json.dumps({"subject": PERSON}).encode(), "/measurements", "invalid_value", "object",
    ),
    "measurements that are null": (
        body(None, subject=PERSON), "/measurements", "invalid_value", "object",
    ),
    "measurements that are a list": (
        body([NUMBER]), "/measurements", "invalid_value", "object",
    ),
    "measurements that are text": (body(NAME), "/measurements", "invalid_value", "object"),
    "a list as the body": (json.dumps([PERSON]).encode(), "", "invalid_value", "JSON object"),
    "a number as the body": (str(NUMBER).encode(), "", "invalid_value", "JSON object"),
    "text as the body": (json.dumps(PERSON).encode(), "", "invalid_value", "JSON object"),
    "null as the body": (b"null", "", "invalid_value", "JSON object"),
    "true as the body": (b"true", "", "invalid_value", "JSON object"),
}  # fmt: skip

GOOD = body(VITALS, subject=PERSON)
MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing at all": (b"", "empty"),
    "white space only": (b" \r\n\t ", "RFC 8259"),
    "NaN": (literal("NaN"), "RFC 8259"),
    "Infinity": (literal("Infinity"), "RFC 8259"),
    "minus Infinity": (literal("-Infinity"), "RFC 8259"),
    "a hexadecimal number": (literal("0x7B"), "RFC 8259"),
    "a number of 5,000 digits": (literal("9" * 5000), "RFC 8259"),
    "100,000 lists in each other": (literal("[" * 100_000 + "]" * 100_000), "deeply"),
    "100,000 open lists": (literal("[" * 100_000), "deeply"),
    "100,000 objects in each other": (literal('{"value":' * 100_000 + "1" + "}" * 100_000), "deep"),
    "a key twice": (
        f'{{"subject": "{PERSON}", "subject": "{NAME}", "measurements": {{}}}}'.encode(), "twice",
    ),
    "a feature twice": (literal(f'90, "creatinine": {NUMBER}'), "twice"),
    "a value twice": (literal(f'{{"value": 90, "value": {NUMBER}}}'), "twice"),
    "half an object": (GOOD[:-10], "RFC 8259"),
    "something after the object": (GOOD + f" {NAME}".encode(), "RFC 8259"),
    "single quotes": (GOOD.replace(b'"', b"'"), "RFC 8259"),
    "a comment": (GOOD + f" // {PERSON}".encode(), "RFC 8259"),
    "a control character in a string": (GOOD.replace(b"1950", b"\x011950"), "RFC 8259"),
    "a zero byte": (GOOD + b"\x00", "RFC 8259"),
    "bytes that are not UTF-8": (GOOD.replace(b"1950", b"1950\xe5\xff"), "UTF-8"),
    "an overlong UTF-8 sequence": (GOOD.replace(b"1950", b"\xc0\xaf1950"), "UTF-8"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "UTF-8"),
    "UTF-16 without a mark": (GOOD.decode().encode("utf-16-le"), "RFC 8259"),
    "UTF-8 with a byte order mark": (b"\xef\xbb\xbf" + GOOD, "RFC 8259"),
    "a form": (f"subject={PERSON}&age={NUMBER}".encode(), "RFC 8259"),
    "a date": (b"2026-11-21", "RFC 8259"),
}  # fmt: skip

# name: measurements, other fields, code of the warning, feature, what the detail must offer
SET_ASIDE: dict[str, tuple[dict[str, Any], dict[str, Any], str, str | None, str]] = {
    "an impossible number": (
        {"creatinine": NUMBER}, {}, "implausible_value", "creatinine", "umol/L",
    ),
    "an impossible number in another unit": (
        {"creatinine": {"value": NUMBER, "unit": "mg/dL"}}, {},
        "implausible_value", "creatinine", "umol/L",
    ),
    "1e308": ({"creatinine": 1e308}, {}, "implausible_value", "creatinine", "umol/L"),
    "a negative weight": ({"weight": -NUMBER}, {}, "implausible_value", "weight", "kg"),
    "half a point of a score": ({"gcs_total": 7.5}, {}, "implausible_value", "gcs_total", "whole"),
    "a value measured after the index time": (
        {"creatinine": {"value": 90, "time": "2026-11-21T12:00:01Z"}}, {"index_time": NOON},
        "later_than_index_time", "creatinine", "after",
    ),
    "a value measured after the index time by its offset": (
        {"creatinine": {"value": 90, "time": "2026-11-21T12:59:00-01:00"}}, {"index_time": NOON},
        "later_than_index_time", "creatinine", "after",
    ),
    "a value older than its limit": (
        {"creatinine": {"value": 90, "time": "2026-11-18T11:59:59Z"}}, {"index_time": NOON},
        "too_old", "creatinine", "older",
    ),
    "a value of year 1": (
        {"creatinine": {"value": 90, "time": "0001-01-01T00:00:00Z"}}, {"index_time": NOON},
        "too_old", "creatinine", "older",
    ),
    "a value of year 9999": (
        {"creatinine": {"value": 90, "time": "9999-12-31T23:59:59Z"}}, {},
        "later_than_index_time", "creatinine", "after",
    ),
    "a care unit that is not declared": ({}, {"unit": NAME}, "undeclared_unit", None, "not kept"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_sent_is_told(service: Service, client: httpx.Client) -> Iterator[None]:
    """After every test: no canary in what operators can read."""
    yield
    metrics = client.get("/metrics").text
    log = service.log.read_text()
    for canary in CANARIES:
        assert canary not in metrics
        assert canary not in log


def tells_nothing(response: httpx.Response) -> None:
    told = response.text + " ".join(f"{k}: {v}" for k, v in response.headers.items())
    for canary in CANARIES:
        assert canary not in told


def is_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """A well-formed problem document of that status that tells nothing of what was sent."""
    tells_nothing(response)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    ProblemDocument.model_validate(document)
    assert document["status"] == status
    return document


def counted(client: httpx.Client) -> float:
    """How many outcomes were asked for, all told."""
    series = re.findall(r"^risk_assessments_total\{.*\} (.*)$", client.get("/metrics").text, re.M)
    return sum(map(float, series))


def warned(answer: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    return [(warning["code"], warning.get("feature")) for warning in answer["warnings"]]


@pytest.mark.parametrize(("sent", "pointer", "code", "offer"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_request_that_cannot_be_used_is_told_where_and_why(
    client: httpx.Client, sent: bytes, pointer: str, code: str, offer: str
):
    before = counted(client)
    problem = is_problem(client.post(ICU, content=sent), 422)
    [fault] = problem["errors"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert offer in fault["detail"]
    assert counted(client) == before


def test_a_feature_known_only_in_hospital_is_refused_before_the_operation(client: httpx.Client):
    problem = is_problem(client.post(OPERATION, content=one("hospital_day", NUMBER)), 422)
    [fault] = problem["errors"]
    assert fault["pointer"] == "/measurements/hospital_day"
    assert fault["code"] == "not_available_at_branch_point"
    assert "ward-round" in fault["detail"]


@pytest.mark.parametrize(("sent", "offer"), MALFORMED.values(), ids=MALFORMED)
def test_a_body_that_is_not_strict_json_is_malformed(client: httpx.Client, sent: bytes, offer: str):
    before = counted(client)
    problem = is_problem(client.post(ICU, content=sent), 400)
    assert offer in problem["detail"]
    assert "errors" not in problem
    assert counted(client) == before


def test_every_fault_of_a_request_is_listed(client: httpx.Client):
    sent = body(
        {
            PERSON: 1,
            "age": NAME,
            "creatinine": {"value": NUMBER, "unit": NAME, "time": PERSON},
            "injury_iss": NUMBER,
            "sex": NAME,
        },
        index_time=PERSON,
        outcomes=[NAME],
        include=[NAME],
        subject=NUMBER,
        **{NAME: PERSON},
    )
    problem = is_problem(client.post(ICU, content=sent), 422)
    assert {(fault["pointer"], fault["code"]) for fault in problem["errors"]} == {
        ("/5", "unknown_field"),
        ("/subject", "invalid_value"),
        ("/index_time", "invalid_value"),
        ("/measurements/0", "unknown_feature"),
        ("/measurements/age", "invalid_value"),
        ("/measurements/creatinine", "unit_not_convertible"),
        ("/measurements/creatinine/time", "invalid_value"),
        ("/measurements/injury_iss", "not_available_at_branch_point"),
        ("/measurements/sex", "invalid_value"),
        ("/outcomes/0", "unknown_outcome"),
        ("/include/0", "invalid_value"),
    }


def test_thousands_of_faults_are_counted_and_the_first_fifty_listed(client: httpx.Client):
    sent = body({f"{PERSON}-{i}": i for i in range(10_000)})
    problem = is_problem(client.post(ICU, content=sent), 422)
    assert "10000 faults" in problem["detail"]
    assert [fault["pointer"] for fault in problem["errors"]] == [
        f"/measurements/{i}" for i in range(50)
    ]


@pytest.mark.parametrize(
    ("measurements", "fields", "code", "feature", "offer"), SET_ASIDE.values(), ids=SET_ASIDE
)
def test_what_cannot_be_trusted_is_set_aside_and_named(
    client: httpx.Client,
    measurements: dict[str, Any],
    fields: dict[str, Any],
    code: str,
    feature: str | None,
    offer: str,
):
    bare = client.post(ICU, content=body(VITALS, index_time=NOON)).json()
    sent = body({**VITALS, **measurements}, **{"index_time": NOON, **fields})
    response = client.post(ICU, content=sent)
    assert response.status_code == 200
    tells_nothing(response)
    answer = response.json()
    AssessmentAnswer.model_validate(answer)
    assert warned(answer) == [(code, feature)]
    assert offer in answer["warnings"][0]["detail"]
    assert answer["deidentification"]["set_aside"] == len(measurements)
    assert answer["outcomes"] == bare["outcomes"]


@pytest.mark.parametrize("value", [-NUMBER, -3, 1e308, -1e308, 150.5])
def test_without_a_required_value_that_can_be_trusted_no_model_answers(
    client: httpx.Client, value: float
):
    response = client.post(ICU, content=body({**VITALS, "age": value}, subject=PERSON))
    assert response.status_code == 200
    tells_nothing(response)
    answer = response.json()
    assert answer["status"] == "abstained"
    assert warned(answer) == [("implausible_value", "age")]
    reasons = {outcome["outcome"]: outcome["reason"] for outcome in answer["outcomes"]}
    assert reasons["death_180d"] == "missing_required"
    assert set(reasons.values()) == {"missing_required", "no_model"}
    assert all(
        outcome["features"] == ["age"]
        for outcome in answer["outcomes"]
        if outcome["reason"] == "missing_required"
    )


def test_identifiers_are_taken_and_never_come_back(client: httpx.Client):
    sent = body(VITALS, subject=PERSON, episode=f"case {NAME}", unit=NAME, index_time=NOON)
    response = client.post(ICU, content=sent)
    assert response.status_code == 200
    tells_nothing(response)
    assert warned(response.json()) == [("undeclared_unit", None)]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/v1/branch-points/{PERSON}/assessments"),
        ("POST", f"/v1/branch-points/{PERSON}/assessments:batch"),
        ("POST", f"/v1/branch-points/{PERSON}/assessments/"),
        ("POST", f"{ICU}/{PERSON}"),
        ("POST", f"/v1/branch-points/icu-review%00{PERSON}/assessments"),
        ("GET", f"/v1/branch-points/{PERSON}"),
        ("GET", f"/v1/models/{PERSON}"),
        ("GET", f"/v1/models/{PERSON}/card"),
        ("GET", f"/{PERSON}/"),
        ("GET", f"/v1/../{PERSON}?name={NAME}"),
    ],
)
def test_an_unknown_place_is_not_repeated(client: httpx.Client, method: str, path: str):
    is_problem(client.request(method, path, content=GOOD if method == "POST" else None), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ICU), ("PUT", ICU), ("DELETE", "/v1/features"), ("POST", "/v1/models"),
     ("PATCH", "/readyz")],
)  # fmt: skip
def test_a_method_that_is_not_offered_is_a_problem(client: httpx.Client, method: str, path: str):
    problem = is_problem(client.request(method, f"{path}?patient={PERSON}"), 405)
    assert problem["title"] == "Method not allowed"


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("filling", [PERSON.encode(), b" ", b"["], ids=["text", "blank", "lists"])
def test_a_body_of_10_mb_is_refused_with_and_without_its_length(
    client: httpx.Client, filling: bytes, declared: bool
):
    sent = (filling * 10_000_000)[:10_000_000]
    chunks = (sent[i : i + 65_536] for i in range(0, len(sent), 65_536))
    problem = is_problem(client.post(ICU, content=sent if declared else chunks), 413)
    assert str(LIMIT_BYTES) in problem["detail"]


def test_the_limit_is_exact(client: httpx.Client):
    assert client.post(ICU, content=GOOD.ljust(LIMIT_BYTES)).status_code == 200
    is_problem(client.post(ICU, content=GOOD.ljust(LIMIT_BYTES + 1)), 413)


@pytest.mark.parametrize(
    "sent",
    [
        f"GET /{PERSON} HTTP/9.9\r\n\r\n",
        f"{NAME} {PERSON}\r\n\r\n",
        f"{PERSON} /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        f"POST {ICU} HTTP/1.1\r\nHost: x\r\nContent-Length: -{PERSON}\r\n\r\n",
        f"POST {ICU} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{PERSON}zz\r\n",
    ],
    ids=["wrong version", "no request line", "no known method", "negative length", "broken chunk"],
)
def test_what_is_not_http_is_refused_without_a_word_of_it(
    service: Service, client: httpx.Client, sent: str
):
    with _connection(service) as stream:
        stream.sendall(sent.encode())
        stream.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := stream.recv(65_536):
            received += chunk
    assert b" 400 " in received.split(b"\r\n", 1)[0] or not received
    assert not [canary for canary in CANARIES if canary.encode() in received]
    assert client.get("/livez").status_code == 200


def test_a_caller_who_leaves_in_the_middle_of_a_body_is_no_failure(
    service: Service, client: httpx.Client
):
    with _connection(service) as stream:
        head = f"POST {ICU} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"
        stream.sendall(head.encode() + GOOD)
    assert client.post(ICU, content=GOOD).status_code == 200
    assert "request_failed" not in service.log.read_text()


# ---------------------------------------------------------------- many patients, one per line


BAD_LINES = {
    **{name: (case[0], 422, case[1], case[2]) for name, case in UNUSABLE.items()},
    **{name: (case[0], 400, None, None) for name, case in MALFORMED.items() if case[0].strip()},
}


def patient(age: int) -> bytes:
    return body({**VITALS, "age": age}, outcomes=["death_180d"], index_time=NOON)


def ages(lines: list[dict[str, Any]]) -> list[float | None]:
    """The age that each line was answered for; None for a problem."""
    return [
        next(
            reason["value"]
            for reason in line["outcomes"][0]["attributions"]
            if reason["feature"] == "age"
        )
        if "outcomes" in line
        else None
        for line in lines
    ]


def batch(client: httpx.Client, sent: bytes) -> list[dict[str, Any]]:
    response = client.post(f"{ICU}:batch", content=sent)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    tells_nothing(response)
    assert response.text == "" or response.text.endswith("\n")
    return [json.loads(line) for line in response.text.splitlines()]


def test_every_bad_line_gets_its_own_problem_and_stops_no_other(client: httpx.Client):
    sent = []
    for i, (line, *_) in enumerate(BAD_LINES.values()):
        assert b"\n" not in line
        sent += [patient(30 + i % 60), line]
    lines = batch(client, b"\n".join(sent) + b"\n")
    assert len(lines) == len(sent)
    assert ages(lines[::2]) == [30 + i % 60 for i in range(len(BAD_LINES))]
    for (name, (_, status, pointer, code)), line in zip(
        BAD_LINES.items(), lines[1::2], strict=True
    ):
        ProblemDocument.model_validate(line)
        assert line["status"] == status, name
        if pointer is not None:
            [fault] = line["errors"]
            assert (fault["pointer"], fault["code"]) == (pointer, code), name


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", []),
        (b"\n\n \n\t\r\n", []),
        (patient(40), [40]),
        (patient(40) + b"\n" + patient(41), [40, 41]),
        (patient(40) + b"\r\n" + patient(41) + b"\r\n", [40, 41]),
        (b"\n\n" + patient(40) + b"\n\n  \n" + patient(41) + b"\n\n", [40, 41]),
        (b"[\n" + patient(40) + b"\n]", [None, 40, None]),
        (patient(40) + patient(41), [None]),
        (b'{"measurements":\n{"age": 40}}', [None, None]),
        (patient(40).ljust(LIMIT_BYTES) + b"\n" + patient(41), [40, 41]),
        (patient(40).ljust(LIMIT_BYTES + 1) + b"\n" + patient(41), [None, 41]),
        (patient(40) + b"\n" + patient(41).ljust(LIMIT_BYTES + 1), [40, None]),
        (patient(40) + b"\n" + b"\x00" * 3_000_000 + b"\n" + patient(41), [40, None, 41]),
        (patient(40) + b"\n" + b" " * 3_000_000 + b"\n" + patient(41), [40, None, 41]),
    ],
    ids=[
        "nothing", "blank lines", "no last newline", "two lines, no last newline",
        "carriage returns", "blank lines between", "a JSON list over lines",
        "two objects on a line", "one object on two lines", "a line at the limit",
        "a line over the limit", "the last line over the limit", "3 MB of zeros", "3 MB of blanks",
    ],
)  # fmt: skip
def test_lines_are_told_apart(client: httpx.Client, sent: bytes, expected: list[float | None]):
    assert ages(batch(client, sent)) == expected


def test_a_line_over_the_limit_is_told_so(client: httpx.Client):
    [problem] = batch(client, (PERSON * 100_000).encode())
    assert problem["status"] == 413
    assert str(LIMIT_BYTES) in problem["detail"]


def test_an_answer_leaves_before_the_next_line_arrives(service: Service):
    """Streamed both ways: neither all patients nor all answers are ever held at once."""
    with _connection(service) as stream:
        head = f"POST {ICU}:batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        stream.sendall(head.encode())
        received = b""
        for age in (40, 41, 42):
            line = patient(age) + b"\n"
            stream.sendall(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            while received.count(b'"assessment_id"') < age - 39:
                received += stream.recv(65_536)
        stream.sendall(b"0\r\n\r\n")
        while not received.endswith(b"0\r\n\r\n"):
            received += stream.recv(65_536)
    assert re.match(rb"HTTP/1\.1 200 ", received)


def _connection(service: Service) -> socket.socket:
    port = httpx.URL(service.url).port or 80
    return socket.create_connection(("127.0.0.1", port), timeout=20)
