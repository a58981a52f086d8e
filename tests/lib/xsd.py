"""Holds a document against an XML Schema that uses no more than sequences of named elements.

No library for schemas is among the dependencies, and the one schema that we claim to hold needs very
little of the standard: elements, named types, sequences with least and most occurrences, texts. A
schema that uses anything else is refused here, so that nothing is taken for checked that was not.

References
----------
W3C, XML Schema Definition Language (XSD) 1.1 Part 1: Structures, sections 3.3, 3.4, 3.8, 3.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

XS = "{http://www.w3.org/2001/XMLSchema}"
TEXT = "xs:string"
UNBOUNDED = 10**9


class SchemaNotUnderstood(Exception):
    """The schema uses what is not read here."""


class SchemaViolated(Exception):
    """The document does not hold to the schema."""


@dataclass(frozen=True)
class Particle:
    """What may stand in a place, and how often."""

    least: int
    most: int
    name: str | None  # of an element; None for a sequence of its own
    type: str | ET.Element | None
    inner: tuple[Particle, ...] = ()


class Schema:
    """A schema that was read, and the documents that hold to it."""

    def __init__(self, path: Path) -> None:
        root = ET.parse(path).getroot()  # noqa: S314 - a file of the repository
        if root.tag != XS + "schema" or root.get("elementFormDefault") != "qualified":
            raise SchemaNotUnderstood(root.tag)
        self._namespace = f"{{{root.get('targetNamespace')}}}"
        self._types: dict[str, ET.Element] = {}
        self._elements: dict[str, ET.Element] = {}
        for child in root:
            if child.tag == XS + "complexType":
                self._types[str(child.get("name"))] = child
            elif child.tag == XS + "element":
                self._elements[str(child.get("name"))] = child
            elif child.tag != XS + "import":
                raise SchemaNotUnderstood(child.tag)

    def hold(self, document: bytes) -> None:
        """Raise SchemaViolated, naming the element, when the document does not hold."""
        root = ET.fromstring(document)  # noqa: S314 - written by the code under test
        declared = self._elements.get(root.tag.removeprefix(self._namespace))
        if declared is None or not root.tag.startswith(self._namespace):
            raise SchemaViolated(f"{root.tag} is not declared")
        [inner] = declared
        self._hold_type(root, inner)

    def _hold_type(self, element: ET.Element, declared: str | ET.Element | None) -> None:
        where = element.tag.removeprefix(self._namespace)
        if element.attrib:
            raise SchemaViolated(f"{where} has attributes")
        if declared == TEXT:
            if len(element):
                raise SchemaViolated(f"{where} holds elements, a text is due")
            return
        if isinstance(declared, str):
            declared = self._types[declared.removeprefix("mc:")]
        if declared is None or declared.tag != XS + "complexType":
            raise SchemaNotUnderstood(where)
        [sequence] = declared
        between = [element.text, *(child.tail for child in element)]
        if any(text and text.strip() for text in between):
            raise SchemaViolated(f"{where} holds text between its elements")
        children = list(element)
        used = self._sequence(children, 0, self._particle(sequence), where)
        if used != len(children):
            name = children[used].tag.removeprefix(self._namespace)
            raise SchemaViolated(f"{name} is not expected in {where}")

    def _particle(self, node: ET.Element) -> Particle:
        least = int(node.get("minOccurs", "1"))
        most = node.get("maxOccurs", "1")
        times = (least, UNBOUNDED if most == "unbounded" else int(most))
        known = {"minOccurs", "maxOccurs", "name", "type", "ref"}
        if set(node.attrib) - known:
            raise SchemaNotUnderstood(str(set(node.attrib) - known))
        if node.tag == XS + "sequence":
            return Particle(*times, None, None, tuple(self._particle(child) for child in node))
        if node.tag != XS + "element":
            raise SchemaNotUnderstood(node.tag)
        if "ref" in node.attrib:  # of another schema: never written by us, so never expected
            if least:
                raise SchemaNotUnderstood(str(node.get("ref")))
            return Particle(0, 0, str(node.get("ref")), None)
        inline = node[0] if len(node) else node.get("type")
        return Particle(*times, str(node.get("name")), inline)

    def _sequence(self, children: list[ET.Element], at: int, due: Particle, where: str) -> int:
        times = 0
        while times < due.most:
            end = at
            try:
                for inner in due.inner:
                    end = self._several(children, end, inner, where)
            except SchemaViolated:
                if times < due.least:
                    raise
                return at
            times += 1
            if end == at:
                break
            at = end
        return at

    def _several(self, children: list[ET.Element], at: int, due: Particle, where: str) -> int:
        if due.name is None:
            return self._sequence(children, at, due, where)
        times = 0
        while times < due.most and at < len(children):
            if children[at].tag != self._namespace + due.name:
                break
            self._hold_type(children[at], due.type)
            times, at = times + 1, at + 1
        if times < due.least:
            raise SchemaViolated(f"{due.name} is missing in {where}")
        return at
