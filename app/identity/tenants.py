"""The tenants file: who may authenticate callers, for which organisation, and for what.

A TOML file; an unknown key, a wrong type or a broken rule stops the start with one line that names
file, row and rule. All of it, with what each key means:

    base_url = "https://risk.example.org"   # how callers address this service, without a path at
                                            # the end; needed where `audience_is_url` is used

    [[tenant]]
    id = "north"                            # lower case, digits, `.`, `_`, `-`
    care_units = ["ward-31", "icu"]         # any other `unit` in a request is set aside
    branch_points = ["icu-review"]          # left out: all that are declared
    silent = ["icu-review"]                 # recorded, not told, until `risk-train go-live`
    rate_limit_per_s = 50                   # left out: the service's own

    [[tenant.issuer]]                       # who signs bearer tokens (JWT) for this tenant
    issuer = "https://ehr.example.org"      # exactly the tokens' `iss`
    audience_is_url = true                  # `aud` is the URL called: what CDS Hooks prescribes
    jwks_url = "https://ehr.example.org/jwks.json"   # or jwks_file = "ehr.jwks.json"
    algorithms = ["ES384", "RS384"]         # of ES384, RS384, RS256, ES256
    tokens = "single-use"
    scopes = ["cds"]                        # the most a token of this issuer can have
    scopes_without_claim = ["cds"]          # for a token without a `scope`; left out: none
    longest_life_s = 300                    # upper bound of `exp - iat`; left out: 3600
    clock_skew_s = 60                       # left out: 60
    jku = ["https://ehr.example.org/jwks.json"]      # other places a token may say its keys are

    [[tenant.issuer]]
    issuer = "https://login.example.org"
    audiences = ["complication-risk"]       # instead of `audience_is_url`
    jwks_url = "https://login.example.org/keys"
    algorithms = ["RS256"]
    tokens = "reusable"
    scopes = ["read", "assess", "outcomes"]

    [[tenant.client_certificate]]           # checked by a proxy, which passes the subject on
    subject = "CN=integration,O=Example"    # exactly as the proxy writes it
    client = "integration"
    scopes = ["assess"]

    [[tenant.code_system]]                  # FHIR: a URI that this organisation uses
    system = "urn:oid:1.2.752.999.1"        # as it stands in `coding.system`
    is = "icd-10"                           # a name or a URI of app/fhir/coding.toml

    [[tenant.code]]                         # FHIR: a code of its own for a measurement
    system = "https://north.example.org/codes"
    code = "CFS"
    feature = "cfs"                         # a name of the dictionary
    unit = "1"                              # where the value comes without; left out: none implied

    [[tenant.code]]                         # with `value`: a coded answer to such a question
    system = "https://north.example.org/codes"
    code = "AP-LAP"
    feature = "surgical_approach"
    value = "laparoscopic"

    [tenant.cds_hooks]                      # what is agreed about CDS Hooks; all may be left out
    language = "sv"                         # of the cards; left out: the client's Accept-Language
    fhir_servers = ["https://fhir.example.org/r4"]   # base URLs that a call may name as `fhirServer`
    patient_references = true               # suggested resources name the patient by FHIR id
    system_actions = true                   # answers also create a RiskAssessment

How to choose `tokens`: CDS Hooks clients make a new token for every call, so `single-use`, and a
token that is caught cannot be used again. OAuth 2 clients (client credentials) fetch a token and
send it until it expires, so `reusable`; replay within that time is then allowed by definition, and
`longest_life_s` bounds what a caught token is worth.

An issuer may serve several tenants; its tokens must then name one in the claim `tenant`.

Keys come from `jwks_url` or `jwks_file` only. A token's `jku` is compared, never followed: the
configured `jwks_url` and what `jku` lists are accepted, a token with any other is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from app.cds_hooks import LANGUAGES, NOTHING_AGREED, Agreement
from app.fhir import LocalCode
from app.identity.caller import SCOPES
from app.settings import is_loopback
from models.vocabulary.content import NUMBER, Key, Row, read_toml

ALGORITHMS = ("ES384", "RS384", "RS256", "ES256")
SINGLE_USE, REUSABLE = "single-use", "reusable"
LONGEST_LIFE_S = 3600.0
CLOCK_SKEW_S = 60.0
LONGEST_ISSUER = 150
TENANT_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FEEDBACK = "/feedback"

_FILE = {"base_url": Key(str), "tenant": Key(list, required=True)}
_TENANT = {
    "id": Key(str, required=True),
    "care_units": Key(list, required=True),
    "branch_points": Key(list),
    "silent": Key(list),
    "rate_limit_per_s": Key(NUMBER),
    "issuer": Key(list),
    "client_certificate": Key(list),
    "code_system": Key(list),
    "code": Key(list),
    "cds_hooks": Key(dict),
}
_CODE_SYSTEM = {"system": Key(str, required=True), "is": Key(str, required=True)}
_CODE = {
    "system": Key(str, required=True),
    "code": Key(str, required=True),
    "feature": Key(str, required=True),
    "unit": Key(str),
    "value": Key((bool, int, float, str)),
}
_CDS_HOOKS = {
    "language": Key(str),
    "fhir_servers": Key(list),
    "patient_references": Key(bool),
    "system_actions": Key(bool),
}
_ISSUER = {
    "issuer": Key(str, required=True),
    "audiences": Key(list),
    "audience_is_url": Key(bool),
    "jwks_file": Key(str),
    "jwks_url": Key(str),
    "algorithms": Key(list, required=True),
    "tokens": Key(str, required=True),
    "scopes": Key(list, required=True),
    "scopes_without_claim": Key(list),
    "longest_life_s": Key(NUMBER),
    "clock_skew_s": Key(NUMBER),
    "jku": Key(list),
}
_CERTIFICATE = {
    "subject": Key(str, required=True),
    "client": Key(str, required=True),
    "scopes": Key(list, required=True),
}


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whoever signs tokens for a tenant, and what those tokens must be like."""

    issuer: str
    audiences: tuple[str, ...]
    base_url: str | None
    jwks_file: Path | None
    jwks_url: str | None
    algorithms: frozenset[str]
    single_use: bool
    scopes: frozenset[str]
    scopes_without_claim: frozenset[str]
    longest_life_s: float
    clock_skew_s: float
    jku: frozenset[str]

    def audiences_at(self, path: str) -> tuple[str, ...]:
        """The values of `aud` that are right for a request to a path.

        Where the audience is the URL, a CDS Hooks feedback endpoint also takes the URL of its
        service: clients differ in which of the two they sign.
        """
        if self.base_url is None:
            return self.audiences
        url = self.base_url + path
        return (url, url.removesuffix(_FEEDBACK)) if url.endswith(_FEEDBACK) else (url,)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that a trusted proxy has checked, and what it may do."""

    subject: str
    client: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Tenant:
    """One organisation; `branch_points` None means every declared one, `silent` tells no risk there."""

    id: str
    care_units: frozenset[str]
    branch_points: frozenset[str] | None = None
    rate_limit_per_s: float | None = None
    issuers: tuple[Issuer, ...] = ()
    certificates: tuple[ClientCertificate, ...] = ()
    code_systems: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    codes: tuple[LocalCode, ...] = ()
    cds_hooks: Agreement = NOTHING_AGREED
    silent: frozenset[str] = frozenset()


def load_tenants(path: Path, declared: Collection[str]) -> Mapping[str, Tenant]:
    r"""Read and check the tenants file.

    Parameters
    ----------
    path : Path
        The file; a `jwks_file` in it is relative to its folder.
    declared : collection of str
        Ids of the branch points that exist.

    Returns
    -------
    mapping of str to Tenant
        By id, in the file's order.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "tenants.toml"
    >>> _ = file.write_text('[[tenant]]\nid = "north"\ncare_units = ["icu"]\n')
    >>> load_tenants(file, ["icu-review"])["north"].care_units
    frozenset({'icu'})
    >>> _ = file.write_text('[[tenant]]\nid = "north"\ncare_unit = ["icu"]\n')
    >>> load_tenants(file, ["icu-review"])
    Traceback (most recent call last):
    models.errors.ContentInvalid: tenants.toml: tenant number 1: unknown key `care_unit`; known: ...
    """
    document = read_toml(path)
    document.check(_FILE)
    base_url = _base_url(document)
    tenants: dict[str, Tenant] = {}
    subjects: set[str] = set()
    for row in _tables(document, "tenant", "tenant"):
        tenant = _tenant(row, frozenset(declared), base_url, path.parent)
        if tenant.id in tenants:
            row.refuse("`id` occurs twice")
        for certificate in tenant.certificates:
            if certificate.subject in subjects:
                row.refuse("a client certificate's `subject` occurs twice in the file")
            subjects.add(certificate.subject)
        tenants[tenant.id] = tenant
    if not tenants:
        document.refuse("declares no tenant")
    return tenants


def _tenant(row: Row, declared: frozenset[str], base_url: str | None, folder: Path) -> Tenant:
    row.check(_TENANT)
    if not TENANT_ID.fullmatch(row.values["id"]):
        row.refuse("`id` must be lower case letters, digits, `.`, `_`, `-`; at most 64")
    row = Row(row.file, f"tenant {row.values['id']}", row.values)
    _positive(row, "rate_limit_per_s")
    points, silent = row.strings("branch_points"), row.strings("silent")
    for key, named in (("branch_points", points), ("silent", silent)):
        if unknown := sorted(set(named) - declared):
            row.refuse(f"`{key}`: no such branch point: {', '.join(unknown)}")
    if "branch_points" in row.values and not points:
        row.refuse("`branch_points` is empty; leave it out to allow all")
    issuers = tuple(
        _issuer(inner, base_url, folder) for inner in _tables(row, "issuer", f"{row.label} issuer")
    )
    if len({issuer.issuer for issuer in issuers}) != len(issuers):
        row.refuse("an `issuer` occurs twice")
    label = f"{row.label} client_certificate"
    return Tenant(
        row.values["id"],
        frozenset(row.strings("care_units")),
        frozenset(points) if points else None,
        row.values.get("rate_limit_per_s"),
        issuers,
        tuple(_certificate(inner) for inner in _tables(row, "client_certificate", label)),
        MappingProxyType(_code_systems(row)),
        tuple(_code(inner) for inner in _tables(row, "code", f"{row.label} code")),
        _agreement(
            Row(row.file, f"{row.label} cds_hooks", row.values.get("cds_hooks", {})), base_url
        ),
        frozenset(silent),
    )


def _agreement(row: Row, base_url: str | None) -> Agreement:
    row.check(_CDS_HOOKS)
    row.one_of("language", LANGUAGES)
    servers = row.strings("fhir_servers")
    for server in servers:
        _address(row, "fhir_servers", server)
        if urlsplit(server).query:
            row.refuse("`fhir_servers` must not hold a query")
    references = row.values.get("patient_references", False)
    actions = row.values.get("system_actions", False)
    if actions and not references:
        row.refuse(
            "`system_actions` needs `patient_references`: a RiskAssessment names its patient"
        )
    return Agreement(
        language=row.values.get("language"),
        base_url=base_url,
        fhir_servers=frozenset(server.rstrip("/") for server in servers),
        patient_references=references,
        system_actions=actions,
    )


def _issuer(row: Row, base_url: str | None, folder: Path) -> Issuer:
    row.check(_ISSUER)
    values = row.values
    if len(values["issuer"]) > LONGEST_ISSUER or not values["issuer"].isprintable():
        row.refuse(f"`issuer` must be at most {LONGEST_ISSUER} printable characters")
    row.one_of("tokens", (SINGLE_USE, REUSABLE))
    by_url = values.get("audience_is_url", False)
    if by_url == bool(row.strings("audiences")):
        row.refuse("needs either `audiences` or `audience_is_url = true`")
    if by_url and base_url is None:
        row.refuse("`audience_is_url` needs a `base_url` at the top of the file")
    if ("jwks_file" in values) == ("jwks_url" in values):
        row.refuse("needs either `jwks_file` or `jwks_url`")
    if "jwks_url" in values:
        _address(row, "jwks_url", values["jwks_url"])
    algorithms = _named(row, "algorithms", ALGORITHMS, "; symmetric ones and `none` never are")
    scopes = _named(row, "scopes", SCOPES)
    _positive(row, "longest_life_s")
    skew_s = float(values.get("clock_skew_s", CLOCK_SKEW_S))
    if not 0 <= skew_s <= 600:
        row.refuse("`clock_skew_s` must be within 0 and 600")
    jku = frozenset(row.strings("jku"))
    return Issuer(
        issuer=values["issuer"],
        audiences=row.strings("audiences"),
        base_url=base_url if by_url else None,
        jwks_file=folder / values["jwks_file"] if "jwks_file" in values else None,
        jwks_url=values.get("jwks_url"),
        algorithms=algorithms,
        single_use=values["tokens"] == SINGLE_USE,
        scopes=scopes,
        scopes_without_claim=_named(row, "scopes_without_claim", sorted(scopes), " of `scopes`")
        if "scopes_without_claim" in values
        else frozenset(),
        longest_life_s=float(values.get("longest_life_s", LONGEST_LIFE_S)),
        clock_skew_s=skew_s,
        jku=jku | {values["jwks_url"]} if "jwks_url" in values else jku,
    )


def _certificate(row: Row) -> ClientCertificate:
    row.check(_CERTIFICATE)
    client = row.values["client"]
    if len(client) > LONGEST_ISSUER or not client.isprintable():
        row.refuse(f"`client` must be at most {LONGEST_ISSUER} printable characters")
    return ClientCertificate(row.values["subject"], client, _named(row, "scopes", SCOPES))


def _code_systems(row: Row) -> dict[str, str]:
    found: dict[str, str] = {}
    for inner in _tables(row, "code_system", f"{row.label} code_system"):
        inner.check(_CODE_SYSTEM)
        if inner.values["system"] in found:
            inner.refuse("`system` occurs twice")
        found[inner.values["system"]] = inner.values["is"]
    return found


def _code(row: Row) -> LocalCode:
    row.check(_CODE)
    return LocalCode(**row.values)


def _tables(row: Row, key: str, label: str) -> list[Row]:
    tables: list[Any] = row.values.get(key, [])
    if not all(isinstance(table, dict) for table in tables):
        row.refuse(f"`{key}` must be written as [[…]] tables")
    return [Row(row.file, f"{label} number {n}", table) for n, table in enumerate(tables, start=1)]


def _named(row: Row, key: str, allowed: Collection[str], note: str = "") -> frozenset[str]:
    names = row.strings(key)
    if not names:
        row.refuse(f"`{key}` is empty")
    if not set(names) <= set(allowed):
        row.refuse(f"`{key}` must be among {', '.join(allowed)}{note}")
    return frozenset(names)


def _positive(row: Row, key: str) -> None:
    if key in row.values and not 0 < row.values[key] < float("inf"):
        row.refuse(f"`{key}` must be above 0")


def _base_url(document: Row) -> str | None:
    url: str | None = document.values.get("base_url")
    if url is None:
        return None
    _address(document, "base_url", url)
    if urlsplit(url).query:
        document.refuse("`base_url` must not hold a query")
    return url.rstrip("/")


def _address(row: Row, key: str, url: str) -> None:
    """Hold an address to https; plain http is for this machine only."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        row.refuse(f"`{key}` is not an address")
    if parts.scheme not in ("http", "https") or not host:
        row.refuse(f"`{key}` must start with https://")
    if parts.username is not None or parts.fragment:
        row.refuse(f"`{key}` must hold neither a user nor a fragment")
    if parts.scheme == "http" and not is_loopback(host):
        row.refuse(f"`{key}` must be https; http is for a loopback address only")
