"""An invented patient to inspect: the chart that other examples use, with a person's marks put in."""

from __future__ import annotations

import json

from app.examples.patients import load_patients
from app.examples.requests import fhir_request
from models.vocabulary import BranchPoint, Vocabulary

IDENTITY = {
    "name": [{"family": "Tolvansson", "given": ["Tolvan"]}],
    "identifier": [{"system": "urn:oid:1.2.752.129.2.1.3.1", "value": "19121212-1212"}],
    "telecom": [{"system": "phone", "value": "070-174 06 05"}],
    "address": [{"line": ["Storgatan 1"], "city": "Halmstad"}],
}
"""The person whom Swedish systems are tried with, at a number that no telephone has."""
REMARK = "Tolvan wants his daughter to be rung"


def example_text(point: BranchPoint, vocabulary: Vocabulary) -> str | None:
    """A `$assess` call as an EHR would send it; None at a site's own branch point.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> vocabulary = load_vocabulary()
    >>> text = example_text(vocabulary.branch_points["ward-round"], vocabulary) or ""
    >>> "19121212-1212" in text, "Tolvansson" in text, REMARK in text
    (True, True, True)
    """
    patient = load_patients().get(point.id)
    if patient is None:
        return None
    call = fhir_request(patient, vocabulary)
    entries = call["parameter"][-1]["resource"]["entry"]
    entries[0]["resource"].update(IDENTITY)
    observed = (one["resource"] for one in entries[1:])
    observation = next(one for one in observed if one["resourceType"] == "Observation")
    observation["note"] = [{"text": REMARK}]
    return json.dumps(call, indent=2, ensure_ascii=False)
