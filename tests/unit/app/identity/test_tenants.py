"""The tenants file: everything it can say, and each rule it can break."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cds_hooks import Agreement
from app.fhir import LocalCode
from app.identity import tenants as documented
from app.identity.tenants import load_tenants
from models.errors import ContentInvalid

DECLARED = ("icu-review", "ward-round")
ISSUER = """
[[tenant.issuer]]
issuer = "https://a.example"
audiences = ["risk"]
jwks_file = "a.json"
algorithms = ["ES384"]
tokens = "reusable"
scopes = ["read", "assess"]
"""
CERTIFICATE = """
[[tenant.client_certificate]]
subject = "CN=a"
client = "a"
scopes = ["read"]
"""
TENANT = """
[[tenant]]
id = "north"
care_units = ["icu"]
"""


def load(tmp_path: Path, text: str) -> dict:
    (tmp_path / "tenants.toml").write_text(text, encoding="utf-8")
    return dict(load_tenants(tmp_path / "tenants.toml", DECLARED))


def test_the_documented_example_loads(tmp_path: Path):
    lines = (documented.__doc__ or "").splitlines()
    text = "\n".join(line for line in lines if line.startswith("    "))
    north = load(tmp_path, "\n".join(line[4:] for line in text.splitlines()))["north"]
    assert north.care_units == {"ward-31", "icu"}
    assert north.branch_points == {"icu-review"}
    assert north.rate_limit_per_s == 50
    cds, oauth = north.issuers
    assert (cds.single_use, oauth.single_use) == (True, False)
    assert cds.audiences_at("/cds-services") == ("https://risk.example.org/cds-services",)
    assert oauth.audiences_at("/anything") == ("complication-risk",)
    assert (cds.longest_life_s, oauth.longest_life_s, oauth.clock_skew_s) == (300.0, 3600.0, 60.0)
    assert cds.scopes_without_claim == {"cds"}
    assert oauth.scopes_without_claim == frozenset()
    assert north.certificates[0].subject == "CN=integration,O=Example"
    assert dict(north.code_systems) == {"urn:oid:1.2.752.999.1": "icd-10"}
    system = "https://north.example.org/codes"
    assert north.codes == (
        LocalCode(system, "CFS", "cfs", "1"),
        LocalCode(system, "AP-LAP", "surgical_approach", value="laparoscopic"),
    )


def test_what_is_left_out_means_all_branch_points_and_no_rate_of_its_own(tmp_path: Path):
    north = load(tmp_path, TENANT)["north"]
    assert (north.branch_points, north.rate_limit_per_s, north.issuers) == (None, None, ())
    assert north.silent == frozenset()


def test_a_silent_branch_point_is_one_of_those_that_exist(tmp_path: Path):
    assert load(tmp_path, TENANT + 'silent = ["icu-review"]')["north"].silent == {"icu-review"}


def test_a_key_file_lies_beside_the_tenants_file(tmp_path: Path):
    assert load(tmp_path, TENANT + ISSUER)["north"].issuers[0].jwks_file == tmp_path / "a.json"


ALIAS = '[[tenant.code_system]]\nsystem = "urn:oid:1.2"\nis = "icd-10"\n'
BROKEN: list[tuple[str, str]] = [
    (TENANT + ALIAS + ALIAS, "`system` occurs twice"),
    (TENANT + ALIAS.replace("is =", "as ="), "unknown key `as`"),
    (TENANT + "code_system = [1]", "[[…]] tables"),
    (TENANT + '[[tenant.code]]\nsystem = "s"\ncode = "c"', "`feature` is missing"),
    ("", "`tenant` is missing"),
    ("tenant = []", "declares no tenant"),
    ("tenant = [1]", "[[…]] tables"),
    ("x = 1\n" + TENANT, "unknown key `x`"),
    ("[[tenant]", "is not TOML"),
    (TENANT + TENANT, "`id` occurs twice"),
    (TENANT.replace("north", "North"), "lower case"),
    (TENANT.replace("north", "a/b"), "lower case"),
    (TENANT.replace('["icu"]', '"icu"'), "`care_units` has the wrong type"),
    (TENANT.replace('["icu"]', "[1]"), "non-empty strings"),
    (TENANT.replace('["icu"]', '["icu", "icu"]'), "twice"),
    ('[[tenant]]\nid = "n"', "`care_units` is missing"),
    (TENANT + 'branch_points = ["icu-reviews"]', "no such branch point: icu-reviews"),
    (TENANT + "branch_points = []", "`branch_points` is empty"),
    (TENANT + 'silent = ["icu-reviews"]', "`silent`: no such branch point: icu-reviews"),
    (TENANT + 'silent = "icu-review"', "`silent` has the wrong type"),
    (TENANT + "rate_limit_per_s = 0", "above 0"),
    (TENANT + "rate_limit_per_s = true", "wrong type"),
    (TENANT + "rate_limit_per_s = nan", "above 0"),
    (TENANT + "rate_limit_per_s = inf", "above 0"),
    (TENANT + ISSUER + ISSUER, "an `issuer` occurs twice"),
    (TENANT + ISSUER + "jwks = 1", "unknown key `jwks`"),
    (TENANT + ISSUER.replace('"ES384"', '"HS256"'), "symmetric ones and `none` never are"),
    (TENANT + ISSUER.replace('"ES384"', '"none"'), "symmetric ones and `none` never are"),
    (TENANT + ISSUER.replace('"ES384"', '"ES384", "HS512"'), "symmetric"),
    (TENANT + ISSUER.replace('["ES384"]', "[]"), "`algorithms` is empty"),
    (TENANT + ISSUER.replace('["read", "assess"]', '["admin"]'), "`scopes` must be among"),
    (TENANT + ISSUER.replace('["read", "assess"]', "[]"), "`scopes` is empty"),
    (TENANT + ISSUER + 'scopes_without_claim = ["cds"]', "must be among assess, read of `scopes`"),
    (TENANT + ISSUER.replace('"reusable"', '"forever"'), "single-use, reusable"),
    (TENANT + ISSUER.replace('audiences = ["risk"]', ""), "either `audiences` or"),
    (TENANT + ISSUER + "audience_is_url = true", "either `audiences` or"),
    (TENANT + ISSUER.replace('audiences = ["risk"]', "audience_is_url = true"), "`base_url`"),
    (TENANT + ISSUER + 'jwks_url = "https://a.example/k"', "either `jwks_file` or `jwks_url`"),
    (TENANT + ISSUER.replace('jwks_file = "a.json"', ""), "either `jwks_file` or `jwks_url`"),
    (TENANT + ISSUER.replace('jwks_file = "a.json"', 'jwks_url = "http://a.example/"'), "https"),
    (TENANT + ISSUER.replace('jwks_file = "a.json"', 'jwks_url = "file:///a"'), "https"),
    (TENANT + ISSUER.replace('jwks_file = "a.json"', 'jwks_url = "https://"'), "https"),
    (TENANT + ISSUER.replace('jwks_file = "a.json"', 'jwks_url = "https://[a"'), "not an address"),
    (TENANT + ISSUER.replace('jwks_file = "a.json"', 'jwks_url = "https://u:p@a.example"'), "user"),
    (TENANT + ISSUER.replace("a.example", "a" * 150), "at most 150 printable"),
    (TENANT + ISSUER + "longest_life_s = -1", "`longest_life_s` must be above 0"),
    (TENANT + ISSUER + "clock_skew_s = 601", "within 0 and 600"),
    (TENANT + ISSUER + "clock_skew_s = nan", "within 0 and 600"),
    (TENANT + CERTIFICATE + CERTIFICATE, "`subject` occurs twice"),
    (TENANT + CERTIFICATE + TENANT.replace("north", "south") + CERTIFICATE, "occurs twice"),
    (TENANT + CERTIFICATE.replace('"a"', '""'), "`client` is empty"),
    (TENANT + CERTIFICATE.replace('"a"', '"a\\u0007"'), "printable"),
    ('base_url = "http://risk.example"\n' + TENANT, "https"),
    ('base_url = "https://risk.example?a"\n' + TENANT, "query"),
]


@pytest.mark.parametrize(("text", "rule"), BROKEN, ids=[rule for _, rule in BROKEN])
def test_a_broken_rule_is_one_line_that_names_file_row_and_rule(
    tmp_path: Path, text: str, rule: str
):
    with pytest.raises(ContentInvalid) as caught:
        load(tmp_path, text)
    line = str(caught.value)
    assert line.startswith("tenants.toml: ")
    assert rule in line
    assert "\n" not in line


def test_plain_http_is_for_this_machine(tmp_path: Path):
    local = ISSUER.replace('jwks_file = "a.json"', 'jwks_url = "http://127.0.0.1:1/k"')
    text = 'base_url = "http://localhost:8000"' + TENANT + local
    assert load(tmp_path, text)["north"].issuers[0].jku == {"http://127.0.0.1:1/k"}


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ContentInvalid, match=r"tenants\.toml: file: cannot be read"):
        load_tenants(tmp_path / "tenants.toml", DECLARED)


# ---------------------------------------------------------------- what is agreed about CDS Hooks


def agreement(folder: Path, table: str) -> Agreement:
    file = folder / "tenants.toml"
    file.write_text(
        'base_url = "https://risk.example.org/"\n[[tenant]]\nid = "north"\ncare_units = []\n'
        + table
    )
    return load_tenants(file, ["icu-review"])["north"].cds_hooks


def test_without_a_table_nothing_is_agreed_but_how_the_service_is_reached(tmp_path: Path):
    assert agreement(tmp_path, "") == Agreement(base_url="https://risk.example.org")


def test_what_is_agreed_about_cds_hooks_is_read(tmp_path: Path):
    table = """[tenant.cds_hooks]
language = "sv"
fhir_servers = ["https://fhir.example.org/r4/", "http://127.0.0.1:8080/r4"]
patient_references = true
system_actions = true
"""
    assert agreement(tmp_path, table) == Agreement(
        language="sv",
        base_url="https://risk.example.org",
        fhir_servers=frozenset({"https://fhir.example.org/r4", "http://127.0.0.1:8080/r4"}),
        patient_references=True,
        system_actions=True,
    )


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('language = "de"', "one of en, sv"),
        ('fhir_servers = ["http://fhir.example.org/r4"]', "must be https"),
        ('fhir_servers = ["https://user@fhir.example.org/r4"]', "neither a user"),
        ('fhir_servers = ["https://fhir.example.org/r4?a=1"]', "must not hold a query"),
        ("system_actions = true", "needs `patient_references`"),
        ("cards = true", "unknown key"),
    ],
)
def test_what_cannot_be_agreed_is_refused(tmp_path: Path, line: str, rule: str):
    with pytest.raises(ContentInvalid, match=rule):
        agreement(tmp_path, f"[tenant.cds_hooks]\n{line}\n")
