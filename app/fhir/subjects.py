"""Whose resource is it: only those of the patient who was asked about are read.

A reference is the patient's when it is `Patient/<id>`, an absolute URL that ends in it, or the URL
that the patient's own entry has in the Bundle. Where that URL is an address, an absolute reference
must be that very address: two servers may both have a Patient/1. Everything else is somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.fhir.bundle import Entry

LONGEST_REFERENCE = 1024
ADDRESS = re.compile(r"(https?://[^?#\s]+)/Patient/([A-Za-z0-9\-.]{1,64})")
RELATIVE = re.compile(r"Patient/([A-Za-z0-9\-.]{1,64})")
BASE = re.compile(r"(https?://[^?#\s]+)/[A-Za-z]+/[A-Za-z0-9\-.]{1,64}")
OTHER_PATIENT, NO_SUBJECT = "other_patient", "no_subject"


class PatientOf:
    """Tells the context's patient from all others.

    Parameters
    ----------
    patient : str
        A logical id, `Patient/<id>`, an absolute URL of a Patient, or the `urn:uuid:` of an entry.
    entries : iterable of Entry
        Among which the patient's own entry may say under which URL others refer to it.
    """

    def __init__(self, patient: str, entries: Iterable[Entry]) -> None:
        self.logical_id: str | None = None
        self._urns: set[str] = set()
        self._addresses: set[str] = set()
        if match := ADDRESS.fullmatch(patient):
            self._addresses.add(patient)
            self.logical_id = match[2]
        elif patient.startswith("urn:"):
            self._urns.add(patient)
        else:
            self.logical_id = patient.removeprefix("Patient/")
        self._plain = {"reference": f"Patient/{self.logical_id}"} if self.logical_id else None
        found = [
            entry.full_url
            for entry in entries
            if entry.full_url is not None
            and entry.resource["resourceType"] == "Patient"
            and self.is_it(entry)
        ]
        self._urns.update(url for url in found if not url.startswith("http"))
        addresses = {url for url in found if url.startswith("http")}
        # Two servers with a patient of this id: whose is meant nobody said, so neither's.
        self._addresses |= addresses if len(addresses) < 2 else {""}

    def is_it(self, entry: Entry) -> bool:
        """Whether an entry is the patient's own Patient resource."""
        url = entry.full_url
        if url is not None and url.startswith("http") and self._addresses:
            return url in self._addresses
        if url is not None and url in self._urns:
            return True
        return self.logical_id is not None and entry.resource.get("id") == self.logical_id

    def refusal(self, entry: Entry) -> str | None:
        """`other_patient`, `no_subject`, or None when the resource is the patient's."""
        resource = entry.resource
        if (
            not self._addresses
            and self._plain is not None
            and resource.get("subject") == self._plain
            and "patient" not in resource
            and "focus" not in resource
        ):
            return None  # as nearly all are: what follows costs ten times as much
        given = [resource[key] for key in ("subject", "patient") if resource.get(key) is not None]
        if not given:
            return NO_SUBJECT
        if resource.get("focus"):
            return OTHER_PATIENT  # about a fetus, a donor, a device: not about the subject
        for reference in given:
            if not isinstance(reference, dict) or not isinstance(reference.get("reference"), str):
                return NO_SUBJECT
            if not self._is_reference(reference, entry.full_url):
                return OTHER_PATIENT
        return None

    def _is_reference(self, reference: Mapping[str, Any], full_url: str | None) -> bool:
        text: str = reference["reference"]
        if reference.get("type") not in (None, "Patient") or len(text) > LONGEST_REFERENCE:
            return False
        text = text.partition("/_history/")[0]
        if text in self._urns or text in self._addresses:
            return True
        if match := RELATIVE.fullmatch(text):
            if match[1] != self.logical_id:
                return False
            # In an entry with an address of its own it is relative to that server.
            base = BASE.fullmatch(full_url) if full_url and self._addresses else None
            return base is None or f"{base[1]}/{text}" in self._addresses
        match = ADDRESS.fullmatch(text)
        return match is not None and match[2] == self.logical_id and not self._addresses
