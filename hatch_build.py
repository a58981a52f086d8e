"""When the package is built: the picture library that the console's pages load.

Vega, Vega-Lite and Vega-Embed stand as one bundle in the wheel of vl-convert. Serving does not need that
wheel: the bundle is taken out of it once, into a file of the package.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vl_convert
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = Path("app/console/static/vega.js")
GLOBALS = "window.vegaEmbed = vegaEmbed;"


class PictureLibrary(BuildHookInterface[Any]):
    """Writes the bundle."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write it anew: a newer wheel brings a newer library."""
        # Within a function: what the bundle names must not become names of the page.
        text = f"(() => {{{vl_convert.javascript_bundle(GLOBALS)}}})();\n"
        Path(self.root, BUNDLE).write_text(text, encoding="utf-8")
