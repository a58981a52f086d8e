"""Reading from the caller's FHIR server: only where it was agreed, in time, and no more than needed.

A caller names a server, so the server is not believed to be one of theirs: its base URL must stand
in the tenant's agreement, letter for letter. Nothing is followed anywhere else: no redirect, no page
of another origin or path. Cookies are not kept, because they would join one patient's reading to the
next. What was asked, and with what, is never logged.

References
----------
CDS Hooks 2.0, section FHIR Resource Access. HL7 FHIR R4, section 3.1.1.5 (paging).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from app.cds_hooks.hook_request import FhirAccess
from app.cds_hooks.prefetched import UNANSWERED, Prefetched, look_at
from app.errors import Problem
from app.schemas.strict_json import parse_quickly

MOST_PAGES = 20
ACCEPT = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long reading for one call may take, and how large one answer may be."""

    budget_s: float = 2.0
    largest_bytes: int = 33_554_432


class FhirServers:
    """Reads what prefetch lacks; one pool of connections for the whole process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._client = httpx.AsyncClient(
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
            timeout=limits.budget_s,
        )

    async def close(self) -> None:
        """Let go of every connection."""
        await self._client.aclose()

    async def read(
        self, access: FhirAccess, agreed: Collection[str], questions: Mapping[str, str]
    ) -> dict[str, list[Prefetched]]:
        """Ask all questions at once.

        Parameters
        ----------
        agreed : collection of str
            Base URLs that this tenant's calls may name.
        questions : mapping
            Prefetch key to a filled template, or to the address of a Bundle's next page.

        Returns
        -------
        dict
            Key to the pages that came. One that did not come in time, or not at all, is
            `UNANSWERED`.
        """
        base = base_url(access.server)
        if access.token is None or base not in agreed:
            return {key: [UNANSWERED] for key in questions}
        found: dict[str, list[Prefetched]] = {key: [] for key in questions}

        async def ask(key: str, question: str) -> None:
            await self._pages(base, access, question, found[key])

        tasks = [asyncio.create_task(ask(key, question)) for key, question in questions.items()]
        try:
            with suppress(TimeoutError):  # what came until now counts
                async with asyncio.timeout(self._limits.budget_s):
                    await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return {key: pages or [UNANSWERED] for key, pages in found.items()}

    async def _pages(
        self, base: str, access: FhirAccess, question: str, pages: list[Prefetched]
    ) -> None:
        url: str | None = question
        for _ in range(MOST_PAGES):
            here = within(base, url)
            page = UNANSWERED if here is None else look_at(await self._get(here, access))
            pages.append(page)
            url = page.more
            if url is None:
                break

    async def _get(self, url: str, access: FhirAccess) -> Mapping[str, Any]:
        """One resource; an OperationOutcome of ours stands for whatever went wrong."""
        failed = {"resourceType": "OperationOutcome"}
        headers = {"Authorization": f"Bearer {access.token}", "Accept": ACCEPT}
        body = bytearray()
        try:
            async with self._client.stream("GET", url, headers=headers) as answer:
                if answer.status_code != httpx.codes.OK:
                    return failed
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > self._limits.largest_bytes:
                        return failed
            document = parse_quickly(bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL, Problem):
            return failed
        return document if isinstance(document, dict) else failed


def base_url(server: str) -> str:
    """A base URL as it is compared.

    Examples
    --------
    >>> base_url("https://fhir.example.org/r4/")
    'https://fhir.example.org/r4'
    """
    return server.rstrip("/")


def within(base: str, address: str | None) -> str | None:
    """An address made whole, if it lies at or below a base URL; None otherwise.

    Examples
    --------
    >>> within("https://fhir.example.org/r4", "Patient/1")
    'https://fhir.example.org/r4/Patient/1'
    >>> within("https://fhir.example.org/r4", "https://fhir.example.org/r4?page=2")
    'https://fhir.example.org/r4?page=2'
    >>> within("https://fhir.example.org/r4", "//elsewhere.example.org/r4/Patient") is None
    True
    >>> within("https://fhir.example.org/r4", "https://fhir.example.org/r4/../admin") is None
    True
    """
    if address is None:
        return None
    try:
        whole = urlsplit(urljoin(f"{base}/", address))
        wanted = urlsplit(base)
        if (whole.scheme, whole.netloc) != (wanted.scheme, wanted.netloc):
            return None
    except ValueError:
        return None
    below = whole.path == wanted.path or whole.path.startswith(f"{wanted.path}/")
    if not below or ".." in whole.path.split("/"):
        return None
    return whole.geturl()
