"""What should have been counted, worked out from the ledger and the bundles alone, a value at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from prometheus_client.parser import text_string_to_metric_families

from models.registry import Registry
from models.vocabulary import Vocabulary, restored, settle
from tests.lib.ledger import ask

Series = tuple[str, frozenset[tuple[str, str]]]


def series(name: str, **labels: str) -> Series:
    return name, frozenset(labels.items())


def told(text: str, *families: str) -> dict[Series, float]:
    """The samples of some families, as a scrape tells them."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in families
    }


def recorded(url: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Inputs and answers of all assessments, in the order in which they were recorded."""
    for inputs, answer in ask(url, "SELECT inputs, answer FROM assessments ORDER BY month, seq"):
        yield orjson.loads(inputs), orjson.loads(answer)


def expected(
    url: str, profiles: dict[str, dict[str, Any]], vocabulary: Vocabulary
) -> Counter[Series]:
    """Counts of every model by name; `profiles` holds its `reference.json`, its version and inputs."""
    counts: Counter[Series] = Counter()
    for inputs, answer in recorded(url):
        point = vocabulary.branch_points[answer["branch_point"]]
        measurements, _ = restored(orjson.dumps(inputs).decode(), vocabulary.features)
        values = settle(measurements, point, vocabulary.features).values
        implausible = {
            one["feature"] for one in answer["warnings"] if one["code"] == "implausible_value"
        }
        for outcome in answer["outcomes"]:
            name = f"{point.id}.{outcome['outcome']}"
            if name in profiles:
                _count(counts, name, profiles[name], outcome, values, implausible)
    return counts


def profiles_of(var: Path, folder: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Reference profile, version and inputs of each champion, from the registry."""
    registry, found = Registry.at(var), {}
    for name in names:
        version = registry.aliases([name], "champion").get(name)
        if version is None:
            continue
        at = folder / f"{name}-{version}"
        registry.download(name, version, at)
        model = orjson.loads((at / "model.json").read_bytes())
        found[name] = {
            "reference": orjson.loads((at / "reference.json").read_bytes()),
            "version": version,
            "features": [item["name"] for item in model["inputs"]],
            "tree_codes": {item["name"]: item["tree_codes"] or [0, 0] for item in model["inputs"]},
        }
    return found


def _count(
    counts: Counter[Series], name: str, profile: dict[str, Any], outcome: dict[str, Any],
    values: dict[str, float], implausible: set[str],
) -> None:  # fmt: skip
    who = {"model": name, "version": profile["version"]}
    reference = profile["reference"]
    for feature in profile["features"]:
        own, x = reference["features"][feature], values.get(feature)
        if x is None:
            bin_ = "implausible" if feature in implausible else "missing"
        elif "values" in own:
            level = int(x)
            never = profile["tree_codes"][feature][level] is None
            bin_ = "unseen" if never else str(own["values"][level])
        else:
            bin_ = f"{sum(edge < x for edge in own['edges']):02d}"
        counts[series("risk_feature_observations_total", **who, feature=feature, bin=bin_)] += 1
    status = outcome["status"] if outcome["status"] == "answered" else "abstained"
    counts[series("risk_model_assessments_total", **who, status=status)] += 1
    if status != "answered":
        return
    numeric = "value" in outcome
    p = outcome["value"] if numeric else outcome["probability"]
    place = sum(edge < p for edge in reference["prediction"]["edges"])
    kind = "value" if numeric else "probability"
    counts[series(f"risk_predicted_{kind}_total", **who, bin=f"{place:02d}")] += 1
    counts[series(f"risk_predicted_{kind}_sum_total", **who)] += p
    if not numeric:
        counts[series("risk_predicted_variance_total", **who)] += p * (1 - p)
    for reason in outcome["attributions"]:
        labels = {**who, "feature": reason["feature"]}
        counts[series("risk_contribution_absolute_total", **labels)] += abs(reason["contribution"])


def with_short_bins(found: dict[Series, float]) -> dict[Series, float]:
    """Bins of numbers by their place alone ("03" for "03: 49.4 to 55.8")."""
    return {
        (
            name,
            frozenset((k, v[:2] if k == "bin" and v[2:4] == ": " else v) for k, v in labels),
        ): value
        for (name, labels), value in found.items()
    }
