"""Who asks: open on this machine, or by token, API key or client certificate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Literal

from app.cds_hooks import NOTHING_AGREED, Agreement
from app.errors import StartRefused
from app.fhir import LocalCode
from app.identity.api_keys import PREFIX, ApiKeys
from app.identity.caller import DEFAULT_TENANT, OPEN_CALLER, Caller, permit
from app.identity.certificates import ClientCertificates
from app.identity.key_set import KeySetInvalid
from app.identity.key_sources import FetchedKeys, FileKeys, KeySource
from app.identity.refusal import Refused
from app.identity.replay import InProcessReplayMemory, RememberJti
from app.identity.tenants import Issuer, Tenant, load_tenants
from app.identity.tokens import TokenVerifier
from models.errors import ContentInvalid

LONGEST_HEADER = 8 * 1024
CERTIFICATE_HEADER = "x-client-certificate-subject"


class Identity:
    """The one question at every door: who is this, and what may they do.

    Made by `load_identity`, or by `Identity.open` for a service that only this machine can reach.
    Call `begin` before the first request and `end` after the last.

    Attributes
    ----------
    is_open : bool
        Whether everybody is let in.
    certificate_header : str
        The header in which a trusted proxy passes a certificate's subject on; lower case.
    """

    def __init__(
        self,
        tenants: Mapping[str, Tenant],
        doors: _Doors | None,
        *,
        certificate_header: str = CERTIFICATE_HEADER,
        on_refusal: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._tenants = tenants
        self._doors = doors
        self._on_refusal = on_refusal
        self.certificate_header = certificate_header.lower()

    @classmethod
    def open(
        cls,
        care_units: Collection[str] = (),
        on_refusal: Callable[[str], None] = lambda _: None,
        agreement: Agreement = NOTHING_AGREED,
        silent: Collection[str] = (),
    ) -> Identity:
        """Let everybody in, with every scope, as the tenant `default`.

        Examples
        --------
        >>> import asyncio
        >>> identity = Identity.open(["ward-31"])
        >>> caller = asyncio.run(identity.caller(path="/v1/features"))
        >>> caller.client, caller.tenant, identity.care_units(caller.tenant)
        ('open', 'default', frozenset({'ward-31'}))
        """
        return cls(_one_tenant(care_units, agreement, silent), None, on_refusal=on_refusal)

    @property
    def is_open(self) -> bool:
        return self._doors is None

    def care_units(self, tenant: str) -> frozenset[str]:
        """The declared care units of a caller's tenant."""
        return self._tenants[tenant].care_units

    def declared_silent(self) -> frozenset[tuple[str, str]]:
        """Every tenant's branch points that are declared silent, as (tenant, branch point)."""
        return frozenset((t.id, name) for t in self._tenants.values() for name in t.silent)

    def local_codes(self) -> dict[str, tuple[Mapping[str, str], tuple[LocalCode, ...]]]:
        """Each tenant's own names of code systems, and its own codes."""
        return {tenant.id: (tenant.code_systems, tenant.codes) for tenant in self._tenants.values()}

    def cds_agreement(self, tenant: str) -> Agreement:
        """What is agreed with a caller's tenant about CDS Hooks."""
        return self._tenants[tenant].cds_hooks

    def rate_limit_per_s(self, tenant: str) -> float | None:
        """The tenant's own rate for each of its clients; None for the service's."""
        return self._tenants[tenant].rate_limit_per_s

    async def caller(
        self,
        *,
        path: str,
        authorization: str | None = None,
        api_key: str | None = None,
        certificate: str | None = None,
        peer: str | None = None,
    ) -> Caller:
        """Find out who asks.

        `Authorization` counts first, `X-API-Key` next; a certificate identifies a request that has
        neither.

        Parameters
        ----------
        path : str
            The path of the request's URL, which some tokens are bound to.
        authorization, api_key, certificate : str, optional
            The values of `Authorization`, of `X-API-Key`, and of the header that
            `certificate_header` names.
        peer : str, optional
            The address at the other end of the connection.

        Raises
        ------
        Problem
            401 with a challenge; 403 when a token names another tenant than its issuer's; 503 when
            no further single-use token can be remembered.
        """
        if self._doors is None:
            return OPEN_CALLER
        try:
            return await self._doors.caller(authorization, api_key, certificate, peer, path)
        except Refused as refusal:
            self._on_refusal(refusal.reason)
            raise refusal.problem() from None

    def permit(self, caller: Caller, scope: str, branch_point: str | None = None) -> None:
        """Let a caller pass, or refuse.

        Parameters
        ----------
        scope : str
            One of `SCOPES`, as the contract gives it for the path.
        branch_point : str, optional
            A declared branch point; one that is not declared is a 404, for every caller.

        Raises
        ------
        Problem
            403, naming the scope that is missing.

        Examples
        --------
        >>> reader = Caller("api-key:1", None, "default", frozenset({"read"}), None)
        >>> Identity.open().permit(reader, "read")
        >>> Identity.open().permit(reader, "assess")
        Traceback (most recent call last):
        app.errors.Problem: The scope `assess` is needed for this.
        """
        try:
            permit(caller, scope, branch_point)
        except Refused as refusal:
            self._on_refusal(refusal.reason)
            raise refusal.problem() from None

    async def begin(self) -> None:
        """Fetch the issuers' keys; one that cannot be reached is asked again later."""
        if self._doors is not None:
            await asyncio.gather(*(source.renew() for source in self._doors.sources))

    async def end(self) -> None:
        """Stop what is under way."""
        if self._doors is not None:
            await asyncio.gather(*(source.close() for source in self._doors.sources))


class _Doors:
    """The ways in, asked in a fixed order."""

    def __init__(
        self,
        tokens: TokenVerifier,
        api_keys: ApiKeys,
        certificates: ClientCertificates,
        sources: Collection[KeySource],
    ) -> None:
        self._tokens = tokens
        self._api_keys = api_keys
        self._certificates = certificates
        self.sources = sources

    async def caller(
        self,
        authorization: str | None,
        api_key: str | None,
        certificate: str | None,
        peer: str | None,
        path: str,
    ) -> Caller:
        for value in (authorization, api_key, certificate):
            if value is not None and len(value) > LONGEST_HEADER:
                raise Refused("too_large")
        if authorization is not None:
            if api_key is not None:
                raise Refused("ambiguous")
            scheme, _, credential = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise Refused("scheme")
            credential = credential.strip(" ")
            if credential.startswith(PREFIX):
                return self._api_keys.caller(credential)
            return await self._tokens.caller(credential, path)
        if api_key is not None:
            return self._api_keys.caller(api_key)
        found = self._certificates.caller(certificate, peer)
        if found is None:
            raise Refused("missing")
        return found


def load_identity(
    *,
    host_is_loopback: bool,
    tenants_file: Path | None,
    api_keys_file: Path,
    care_units: Collection[str],
    branch_points: Collection[str],
    agreement: Agreement = NOTHING_AGREED,
    silent: Collection[str] = (),
    authentication: Literal["auto", "open", "required"] = "auto",
    trusted_proxies: Collection[str] = (),
    certificate_header: str = CERTIFICATE_HEADER,
    remember_jti: RememberJti | None = None,
    on_refusal: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Identity:
    """Build the identity of a service from what its operator declared.

    Parameters
    ----------
    host_is_loopback : bool
        Whether only this machine can reach the service.
    tenants_file : Path, optional
        See `app.identity.tenants`. Without it there is one tenant, `default`, with `care_units`
        and every branch point, and API keys are the only way in.
    api_keys_file : Path
        See `app.identity.api_keys`; it need not be there yet.
    care_units : collection of str
        Declared care units of the tenant `default`.
    branch_points : collection of str
        Ids of the declared branch points.
    agreement : Agreement
        About CDS Hooks, with the tenant `default`.
    silent : collection of str
        Branch points at which the tenant `default` is told no risk.
    authentication : {"auto", "open", "required"}
        `auto` is open on a loopback address where neither file is there, else required.
    trusted_proxies : collection of str
        Addresses or networks whose `certificate_header` is believed.
    certificate_header : str
        Where such a proxy puts a client certificate's subject.
    remember_jti : RememberJti, optional
        The memory of single-use tokens; by default one of this process alone.
    on_refusal : callable
        Told one of `REASONS` for every refusal.
    clock, monotonic : callable
        Seconds since 1970, and seconds of a clock that never goes back.

    Raises
    ------
    StartRefused
        When the service must not start like this; one line.
    """
    if authentication == "open" and not host_is_loopback:
        raise StartRefused(
            "authentication is `open`, which is for a loopback address only: with this host anybody "
            "could ask; set it to `required` and declare tenants or API keys"
        )
    if unknown := sorted(set(silent) - set(branch_points)):
        raise StartRefused(
            f"RISK_SILENT: no such branch point: {', '.join(unknown)}; "
            f"declared: {', '.join(branch_points)}"
        )
    nothing_declared = tenants_file is None and not api_keys_file.exists()
    if host_is_loopback and (
        authentication == "open" or (authentication == "auto" and nothing_declared)
    ):
        return Identity.open(care_units, on_refusal, agreement, silent)
    if silent and tenants_file is not None:
        # Set aside like other settings of the tenant `default`, it would let risks be told that
        # somebody meant to be silent.
        raise StartRefused(
            "RISK_SILENT is for a service without a tenants file; with one, write `silent` in each "
            "[[tenant]] that it is meant for"
        )
    try:
        tenants = (
            _one_tenant(care_units, agreement, silent)
            if tenants_file is None
            else load_tenants(tenants_file, branch_points)
        )
    except ContentInvalid as fault:
        raise StartRefused(str(fault)) from None
    certificates = ClientCertificates(tenants, trusted_proxies)
    api_keys = ApiKeys(api_keys_file, tenants, clock=clock, monotonic=monotonic)
    keys = _key_sources(tenants, monotonic)
    if not keys and not len(certificates) and not api_keys.any_active():
        raise StartRefused(
            "callers must authenticate and nobody could: declare an issuer or a client certificate "
            "in the tenants file, or make an API key with `risk-serve keys create`"
        )
    memory = InProcessReplayMemory(clock=clock) if remember_jti is None else remember_jti
    tokens = TokenVerifier(tenants, keys, memory, clock=clock)
    doors = _Doors(tokens, api_keys, certificates, set(keys.values()))
    return Identity(tenants, doors, certificate_header=certificate_header, on_refusal=on_refusal)


def _one_tenant(
    care_units: Collection[str], agreement: Agreement, silent: Collection[str]
) -> dict[str, Tenant]:
    units = frozenset(care_units)
    tenant = Tenant(DEFAULT_TENANT, units, cds_hooks=agreement, silent=frozenset(silent))
    return {DEFAULT_TENANT: tenant}


def _key_sources(
    tenants: Mapping[str, Tenant], monotonic: Callable[[], float]
) -> dict[Issuer, KeySource]:
    """A source for each issuer; one that serves several tenants is asked once for all of them."""
    by_place: dict[str | Path | None, KeySource] = {}
    sources: dict[Issuer, KeySource] = {}
    for tenant in tenants.values():
        for issuer in tenant.issuers:
            place = issuer.jwks_url or issuer.jwks_file
            if place not in by_place:
                by_place[place] = _key_source(issuer, monotonic)
            sources[issuer] = by_place[place]
    return sources


def _key_source(issuer: Issuer, monotonic: Callable[[], float]) -> KeySource:
    if issuer.jwks_url is not None:
        return FetchedKeys(issuer.jwks_url, clock=monotonic)
    if issuer.jwks_file is None:
        raise AssertionError("the tenants file was checked to give a file or an address")
    name = issuer.jwks_file.name
    try:
        return FileKeys(issuer.jwks_file, clock=monotonic)
    except KeySetInvalid as fault:
        raise StartRefused(f"{name}: cannot be used as keys: {fault}") from None
    except OSError as fault:
        raise StartRefused(f"{name}: cannot be read: {fault.strerror}") from None
