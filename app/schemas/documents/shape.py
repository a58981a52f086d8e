"""What every documented shape is built on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1)]


Text = dict[Literal["en", "sv"], str]


class Document(BaseModel):
    """Base of all documented shapes: nothing undeclared."""

    model_config = ConfigDict(extra="forbid")
