"""All settings in one typed, frozen tree: `RISK_…` variables over an optional TOML file."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
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

    host: str = Field(
        "127.0.0.1", description="Address to listen on; any but loopback needs authentication."
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Processes that answer; one per core.")
    var_dir: Path = Field(Path("var"), description="Folder for state: registry, model cache.")
    content: Path | None = Field(
        None, description="A site's own features, outcomes and branch points, added to ours."
    )
    care_units: tuple[str, ...] = Field(
        (), description="Declared care units, without a tenants file; others are not kept."
    )
    silent: tuple[str, ...] = Field(
        (),
        description="Branch points whose risks are recorded, not told, until `risk-train go-live`; "
        "without a tenants file.",
    )
    fhir_servers: tuple[str, ...] = Field(
        (), description="FHIR servers CDS Hooks calls may name, without a tenants file: base URLs."
    )
    fhir_budget_s: float = Field(
        2.0, gt=0, description="How long reading from a caller's FHIR server may take in all."
    )
    cds_discovery: Literal["cds", "open"] = Field(
        "cds", description="Who may see GET /cds-services: the scope `cds`, or all."
    )
    database_url: SecretStr | None = Field(
        None, description="The ledger: sqlite:///FILE or postgresql://…; default: in var_dir."
    )
    keys_file: Path | None = Field(
        None, description="Secrets of this installation; default: keys.toml in var_dir."
    )
    ledger_bound: int = Field(
        1024, ge=1, description="How many answers may wait for the ledger; more are refused."
    )
    ledger_patience_s: float = Field(
        5.0, gt=0, description="How long an answer may wait for the ledger before it is refused."
    )
    authentication: Literal["auto", "open", "required"] = Field(
        "auto", description="auto: required when there are tenants, API keys or other addresses."
    )
    tenants_file: Path | None = Field(
        None, description="Tenants with their issuers, certificates, care units, branch points."
    )
    api_keys_file: Path | None = Field(
        None, description="API keys as digests; default: api-keys.jsonl in var_dir."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses whose client-certificate header is believed."
    )
    tls: Literal["any", "required"] = Field(
        "any", description="required: only what a trusted proxy says came over https is answered."
    )
    certificate_header: str = Field(
        "x-client-certificate-subject", description="Where a proxy puts a certificate's subject."
    )
    cors_origins: tuple[str, ...] = Field(
        (), description="Origins whose pages may ask from a browser."
    )
    operations: Literal["open", "read"] = Field(
        "open", description="Who may see /readyz, /metrics and /docs: all, or the scope `read`."
    )
    console: bool = Field(True, description="Serve the pages for people under /console.")
    rate_limit_per_s: float = Field(
        1000.0, gt=0, description="Requests a client may make in a second, per worker."
    )
    body_timeout_s: float = Field(
        15.0, gt=0, description="How long a body may take; how long a batch may stay silent."
    )
    protected_names: Path | None = Field(
        None, description="Names, one a line, that the tripwire also looks for."
    )
    body_limit_bytes: int = Field(
        1_048_576, ge=1024, description="Largest request body, and largest line of a batch."
    )
    fhir_body_limit_bytes: int = Field(
        33_554_432, ge=1024, description="Largest FHIR request: a Bundle of thousands of resources."
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
    ungated: Literal["serve", "warn", "refuse"] = Field(
        "warn",
        description="Champions without a gate decision sealed here: serve, say so, or refuse.",
    )
    answer_budget_ms: float = Field(
        50.0,
        gt=0,
        description="Processor time that a model's median answer may take; slower ones are refused.",
    )
    shadow: bool = Field(
        True, description="Ask the registry's challengers about what was answered, unseen."
    )
    outcomes_poll_s: float = Field(
        5.0, gt=0, description="Seconds between two looks for outcomes in the ledger."
    )
    born_at_zero_s: float = Field(
        90.0,
        ge=0,
        description="How long a new series of outcomes is shown at 0: longer than between scrapes.",
    )
    webhook_secret_file: Path | None = Field(
        None, description="Secret of MLflow's webhook, a line; without it the receiver is off."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line that is written."
    )

    @field_validator("fhir_servers")
    @classmethod
    def _only_over_tls(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            parts = urlsplit(server)
            if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
                raise ValueError("must start with https://; http is for a loopback address only")
        return servers

    @property
    def database(self) -> str:
        """Address of the ledger."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.var_dir.resolve() / 'ledger.db'}"

    @property
    def keys(self) -> Path:
        """The keyring's file."""
        return self.keys_file or self.var_dir / "keys.toml"

    @property
    def api_keys(self) -> Path:
        """The file of API keys."""
        return self.api_keys_file or self.var_dir / "api-keys.jsonl"

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
        Naming each setting that does not hold.
    """
    file = os.environ.get(CONFIG_VARIABLE)
    if file is not None and not Path(file).is_file():
        raise StartRefused(f"{CONFIG_VARIABLE} names a file that is not there")
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise StartRefused(f"settings: {wrong}") from None
    except ValueError as error:
        raise StartRefused(f"settings: {error}") from None


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
