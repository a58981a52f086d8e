"""Request bodies in OpenAPI, written by hand: the request path does not validate through them."""

from __future__ import annotations

from typing import Any

from app.schemas.documents.shape import Document


def request_body(document: type[Document], examples: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """A hand-written request body: the request path does not validate through these shapes."""
    schema = document.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schema,
                    "examples": {
                        name: {"summary": summary, "value": value}
                        for name, (summary, value) in examples.items()
                    },
                }
            },
        }
    }
