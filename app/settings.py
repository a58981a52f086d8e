"""All settings in one typed, frozen tree: `RISK_…` variables over an optional TOML file."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from app.errors import StartRefused

CONFIG_VARIABLE = "RISK_CONFIG"


class Settings(BaseSettings):
    """What an operator can set; each as `RISK_<NAME>` or in the file that `RISK_CONFIG` names."""

    model_config = SettingsConfigDict(env_prefix="RISK_", frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on; loopback only for now.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    var_dir: Path = Field(Path("var"), description="Folder for state: registry, model cache.")
    content: Path | None = Field(
        None, description="A site's own features, outcomes and branch points, added to ours."
    )
    care_units: tuple[str, ...] = Field(
        (), description="Declared care units; any other `unit` is set aside with a warning."
    )
    body_limit_bytes: int = Field(
        1_048_576, ge=1024, description="Largest request body, and largest line of a batch."
    )
    batch_ahead_bytes: int = Field(
        67_108_864, ge=65_536, description="How far a batch may be sent ahead of its answers."
    )
    registry_poll_s: float = Field(
        15.0, gt=0, description="Seconds between two looks at the registry's aliases."
    )
    registry_timeout_s: float = Field(
        60.0, gt=0, description="Seconds to wait for the registry before the cache is used."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line that is written."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get(CONFIG_VARIABLE)
        if file is None:
            return init_settings, env_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(file))


def load_settings(**given: object) -> Settings:
    """Read the settings once.

    Raises
    ------
    StartRefused
        Naming each setting that does not hold; a non-loopback address is refused because nothing
        authenticates callers yet.
    """
    file = os.environ.get(CONFIG_VARIABLE)
    if file is not None and not Path(file).is_file():
        raise StartRefused(f"{CONFIG_VARIABLE} names a file that is not there")
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise StartRefused(f"settings: {wrong}") from None
    except ValueError as error:
        raise StartRefused(f"settings: {error}") from None
    if not is_loopback(settings.host):
        raise StartRefused(
            f"refusing to listen on {settings.host}: callers are not authenticated; use 127.0.0.1"
        )
    return settings


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
