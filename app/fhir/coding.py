"""What a code means: exact (system, code) to feature, and prefix rules for diagnoses and the like.

Measurement codes come from the feature dictionary, everything else from `coding.toml`, whose head
explains every key; a tenant adds names of code systems and codes of its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from models.errors import InvalidValue
from models.vocabulary import Feature, Vocabulary, take
from models.vocabulary.content import Key, Row, read_toml

OWN_CODING = Path(__file__).parent / "coding.toml"
DICTIONARY_SYSTEMS = ("loinc", "npu", "snomed")
RULED = ("condition", "procedure", "medication", "encounter")
RANGE = re.compile(r"([A-Z])(\d\d)-\1(\d\d)")
PREFIX = re.compile(r"[A-Z][A-Z0-9]{0,7}")
LONGEST_CODE = 64

_TEXTS: dict[str, Key] = {"source": Key(str, required=True)}
_SYSTEM = {
    "name": Key(str, required=True), "uris": Key(list, required=True), "prefix": Key(bool), **_TEXTS,
}  # fmt: skip
_IDENTIFIER = {"name": Key(str, required=True), "uris": Key(list, required=True), **_TEXTS}
_ANSWER = {
    "feature": Key(str), "value": Key((bool, int, float, str), required=True),
    "system": Key(str, required=True), "codes": Key(list, required=True),
    "stands_alone": Key(bool), **_TEXTS,
}  # fmt: skip
_RULE = {
    "feature": Key(str, required=True), "value": Key((bool, str)), "system": Key(str, required=True),
    "codes": Key(list, required=True), "history": Key(bool), "false_when_list_complete": Key(bool),
    **_TEXTS,
}  # fmt: skip
_FILE = {name: Key(list, required=True) for name in ("system", "identifier", "answer", *RULED)}


class Meaning(NamedTuple):
    """A measurement code: its feature, and the unit that the code itself implies."""

    feature: Feature
    implied_unit: str | None = None


class Answer(NamedTuple):
    """A coded answer: its value, and the feature it belongs to; None for any flag."""

    value: object
    feature: Feature | None
    stands_alone: bool


class Rule(NamedTuple):
    """Codes of a kind of resource that are one value of one feature."""

    feature: Feature
    value: float
    history: bool
    false_when_list_complete: bool


@dataclass(frozen=True, slots=True)
class LocalCode:
    """A code of a tenant's own.

    Attributes
    ----------
    unit : str or None
        Of a number that comes without one.
    value : bool, number, str or None
        The value that the code stands for as a coded answer; without it the code is the question.
    """

    system: str
    code: str
    feature: str
    unit: str | None = None
    value: bool | float | str | None = None


class Coding:
    """Every code that is understood, looked up in constant time; made by `load_coding`."""

    def __init__(
        self,
        systems: Mapping[str, str],
        prefixed: frozenset[str],
        identifiers: tuple[str, ...],
        meanings: Mapping[tuple[str, str], Meaning],
        answers: Mapping[tuple[str, str], Answer],
        rules: Mapping[str, Mapping[tuple[str, str], tuple[Rule, ...]]],
    ) -> None:
        self._systems = systems
        self._prefixed = prefixed
        self._meanings = meanings
        self._answers = answers
        self._rules = rules
        self._standing_alone = {
            key: answer.feature
            for key, answer in answers.items()
            if answer.stands_alone and answer.feature is not None
        }
        self.identifiers = identifiers
        """URIs of patients' identifiers, best first."""
        self.complete = tuple(
            {
                rule.feature.name: rule.feature
                for found in rules["condition"].values()
                for rule in found
                if rule.false_when_list_complete
            }.values()
        )
        """Flags that are false where a complete list of diagnoses has none of theirs."""

    def for_tenant(
        self,
        systems: Mapping[str, str],
        codes: Iterable[LocalCode],
        vocabulary: Vocabulary,
    ) -> Coding:
        """The same with a tenant's own names of code systems and own codes.

        Parameters
        ----------
        systems : mapping
            URI to the name of a system of `coding.toml`, or to another URI.

        Raises
        ------
        ValueError
            Saying which rule does not hold.
        """
        known = dict(self._systems)
        for uri, meant in systems.items():
            name = self._systems.get(meant, meant)
            if name not in set(self._systems.values()):
                raise ValueError(f"`{meant}` is no code system of coding.toml")
            if self._systems.get(uri, name) != name:
                raise ValueError("a URI of the product's own cannot mean another system")
            known[uri] = name
        meanings, answers = dict(self._meanings), dict(self._answers)
        for local in codes:
            feature = vocabulary.features.get(local.feature)
            if feature is None:
                raise ValueError(f"`{local.feature}` is not in the dictionary")
            if local.unit not in (None, feature.unit) and local.unit not in feature.conversions:
                raise ValueError(f"`{local.feature}` does not accept the unit `{local.unit}`")
            key = (known.get(local.system, local.system), local.code)
            if local.value is not None:
                answers[key] = _local_answer(local, feature, answers.get(key))
                continue
            if meanings.get(key, Meaning(feature)).feature.name != feature.name:
                raise ValueError(f"a code of `{local.feature}` means another feature already")
            meanings[key] = Meaning(feature, local.unit)
        return Coding(known, self._prefixed, self.identifiers, meanings, answers, self._rules)

    def meanings(self, concept: object) -> dict[str, Meaning]:
        """The features that a CodeableConcept names, exact codes only."""
        found: dict[str, Meaning] = {}
        key = self._only_coding(concept)
        if key is not None:  # as most have; what follows costs twice as much
            meaning = self._meanings.get(key)
            return found if meaning is None else {meaning.feature.name: meaning}
        for key in self._codings(concept):
            meaning = self._meanings.get(key)
            if meaning is not None:
                before = found.get(meaning.feature.name)
                if before is None or before.implied_unit is None:
                    found[meaning.feature.name] = meaning
        return found

    def answers(self, concept: object, feature: Feature) -> list[object]:
        """The values of a feature that a coded answer names, each once."""
        found: list[object] = []
        for key in self._codings(concept):
            answer = self._answers.get(key)
            if answer is None:
                continue
            fits = answer.feature.name == feature.name if answer.feature else feature.kind == "flag"
            if fits and answer.value not in found:
                found.append(answer.value)
        return found

    def self_described(self, concept: object) -> dict[str, Meaning]:
        """Features whose values a coded answer names without a known question."""
        return {
            feature.name: Meaning(feature)
            for key in self._codings(concept)
            if (feature := self._standing_alone.get(key)) is not None
        }

    def rules(self, kind: str, concept: object) -> list[Rule]:
        """The rules that a diagnosis, procedure, drug or class of encounter falls under.

        Parameters
        ----------
        kind : str
            `condition`, `procedure`, `medication` or `encounter`.
        """
        table = self._rules[kind]
        found: list[Rule] = []
        for system, code in self._codings(concept):
            if system not in self._prefixed:
                found += table.get((system, code), ())
                continue
            bare = _bare(code)
            for length in range(1, min(len(bare), 8) + 1):
                found += table.get((system, bare[:length]), ())
        return found

    def recorded_as(self, kind: str) -> frozenset[str]:
        """Names of the features that codes of a kind of resource can mean: which to ask for."""
        return frozenset(
            rule.feature.name for found in self._rules[kind].values() for rule in found
        )

    def standing_alone(self) -> Mapping[str, tuple[str, ...]]:
        """Feature name to the codes of answers that need no known question: what else to ask for."""
        found: dict[str, tuple[str, ...]] = {}
        for (_, code), feature in self._standing_alone.items():
            found[feature.name] = (*found.get(feature.name, ()), code)
        return found

    def has_prefixes(self, concept: object) -> bool:
        """Whether a concept is coded in a system whose rules are prefixes."""
        return any(
            system in self._prefixed and PREFIX.match(_bare(code))
            for system, code in self._codings(concept)
        )

    def _only_coding(self, concept: object) -> tuple[str, str] | None:
        codings = concept.get("coding") if isinstance(concept, dict) else None
        if isinstance(codings, list) and len(codings) == 1 and isinstance(codings[0], dict):
            system, code = codings[0].get("system"), codings[0].get("code")
            if isinstance(system, str) and isinstance(code, str):
                return self._systems.get(system, system), code
        return None

    def _codings(self, concept: object) -> list[tuple[str, str]]:
        codings = concept.get("coding") if isinstance(concept, dict) else None
        if not isinstance(codings, list):
            return []
        found = []
        for coding in codings:
            if isinstance(coding, dict):
                system, code = coding.get("system"), coding.get("code")
                if isinstance(system, str) and isinstance(code, str) and len(code) <= LONGEST_CODE:
                    found.append((self._systems.get(system, system), code))
        return found


def _local_answer(local: LocalCode, feature: Feature, before: Answer | None) -> Answer:
    try:
        take(feature, local.value)
    except InvalidValue as error:
        raise ValueError(str(error)) from None
    if before is not None:
        raise ValueError(f"a coded answer of `{local.feature}` means something already")
    return Answer(local.value, feature, stands_alone=False)


def _bare(code: str) -> str:
    return code.replace(".", "").strip().upper()


def load_coding(vocabulary: Vocabulary, path: Path = OWN_CODING) -> Coding:
    """Read and check `coding.toml` against the dictionary.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> coding = load_coding(load_vocabulary())
    >>> sodium = {"coding": [{"system": "http://loinc.org", "code": "2951-2"}]}
    >>> list(coding.meanings(sodium))
    ['sodium']
    >>> atrial = {"coding": [{"system": "urn:oid:1.2.752.116.1.1.1.1.3", "code": "I48.9P"}]}
    >>> [rule.feature.name for rule in coding.rules("condition", atrial)]
    ['cardiovascular_disease']
    """
    document = read_toml(path)
    document.check(_FILE)
    systems: dict[str, str] = {}
    prefixed = set()
    for row in _rows(document, "system", _SYSTEM):
        for uri in row.strings("uris"):
            if systems.setdefault(uri, row.values["name"]) != row.values["name"]:
                row.refuse(f"`{uri}` names another system already")
        if row.values.get("prefix"):
            prefixed.add(row.values["name"])
    names = frozenset(systems.values())
    identifiers = [
        uri for row in _rows(document, "identifier", _IDENTIFIER) for uri in row.strings("uris")
    ]
    return Coding(
        MappingProxyType(systems),
        frozenset(prefixed),
        tuple(identifiers),
        _dictionary(vocabulary),
        _answers(document, vocabulary, names),
        {kind: _rules(document, kind, vocabulary, names, prefixed) for kind in RULED},
    )


def _dictionary(vocabulary: Vocabulary) -> dict[tuple[str, str], Meaning]:
    return {
        (system, code): Meaning(feature, feature.loinc_units.get(code))
        for feature in vocabulary.features.values()
        for system in DICTIONARY_SYSTEMS
        for code in feature.codes.get(system, ())
    }


def _rows(document: Row, table: str, schema: Mapping[str, Key]) -> Iterator[Row]:
    for position, values in enumerate(document.values[table], start=1):
        row = Row(document.file, f"{table} number {position}", values)
        if not isinstance(values, dict):
            row.refuse("must be written as a [[…]] table")
        row.check(schema)
        yield row


def _answers(
    document: Row, vocabulary: Vocabulary, systems: frozenset[str]
) -> dict[tuple[str, str], Answer]:
    found: dict[tuple[str, str], Answer] = {}
    for row in _rows(document, "answer", _ANSWER):
        row.one_of("system", systems)
        value = row.values["value"]
        feature = _feature(row, vocabulary) if "feature" in row.values else None
        if feature is not None:
            _encoded(row, feature, value)
        elif not isinstance(value, bool):
            row.refuse("an answer without a `feature` must be true or false")
        answer = Answer(value, feature, row.values.get("stands_alone", False))
        for code in row.strings("codes"):
            if found.setdefault((row.values["system"], code), answer) is not answer:
                row.refuse(f"`{code}` stands there already")
    return found


def _rules(
    document: Row,
    kind: str,
    vocabulary: Vocabulary,
    systems: frozenset[str],
    prefixed: set[str],
) -> dict[tuple[str, str], tuple[Rule, ...]]:
    found: dict[tuple[str, str], tuple[Rule, ...]] = defaultdict(tuple)
    for row in _rows(document, kind, _RULE):
        row.one_of("system", systems)
        feature = _feature(row, vocabulary)
        counted = kind == "encounter"
        if counted == ("value" in row.values):
            row.refuse("needs a `value`, except for an encounter")
        value = 0.0 if counted else _encoded(row, feature, row.values["value"])
        absent = row.values.get("false_when_list_complete", False)
        if absent and (feature.kind != "flag" or row.values["system"] not in prefixed):
            row.refuse("`false_when_list_complete` is for a flag in a `prefix` system")
        rule = Rule(feature, value, row.values.get("history", False), absent)
        for code in row.strings("codes"):
            for one in _expanded(row, code) if row.values["system"] in prefixed else (code,):
                found[row.values["system"], one] += (rule,)
    return dict(found)


def _feature(row: Row, vocabulary: Vocabulary) -> Feature:
    feature = vocabulary.features.get(row.values["feature"])
    if feature is None:
        row.refuse(f"`{row.values['feature']}` is not in the dictionary")
    return feature


def _encoded(row: Row, feature: Feature, value: Any) -> float:
    try:
        return take(feature, value)
    except InvalidValue as error:
        row.refuse(str(error))


def _expanded(row: Row, code: str) -> Iterator[str]:
    """A prefix, or each three-character category of a range."""
    if match := RANGE.fullmatch(code):
        letter, first, last = match[1], int(match[2]), int(match[3])
        if first < last:
            yield from (f"{letter}{number:02d}" for number in range(first, last + 1))
            return
    if not PREFIX.fullmatch(code):
        row.refuse(f"`{code}` is neither a prefix nor a range of categories")
    yield code
