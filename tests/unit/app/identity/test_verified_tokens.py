"""The memory of reusable tokens is bounded, and keeps those in use."""

from __future__ import annotations

from pathlib import Path

from app.identity import Caller
from app.identity.claims import Validity
from app.identity.key_sources import FileKeys
from app.identity.tenants import load_tenants
from app.identity.verified_tokens import VerifiedToken, VerifiedTokens
from tests.lib.tokens import jwks, key_pair

TENANTS = """
[[tenant]]
id = "north"
care_units = []
[[tenant.issuer]]
issuer = "https://a.example"
audiences = ["risk"]
jwks_file = "keys.json"
algorithms = ["ES384"]
tokens = "reusable"
scopes = ["read"]
"""


def test_the_token_used_least_recently_goes_first(tmp_path: Path):
    (tmp_path / "keys.json").write_bytes(jwks(key_pair()))
    (tmp_path / "tenants.toml").write_text(TENANTS)
    (issuer,) = load_tenants(tmp_path / "tenants.toml", ())["north"].issuers
    keys = FileKeys(tmp_path / "keys.json")
    name, key = next(iter(keys.held().items()))
    caller = Caller("a", None, "north", frozenset(), None)
    verified = VerifiedToken(
        caller, issuer, Validity(0.0, 100.0), frozenset({"risk"}), keys, name, key.thumbprint
    )
    tokens = VerifiedTokens(most=2)
    tokens.add("a", verified)
    tokens.add("b", verified)
    assert tokens.caller("a", "/", 50.0) is caller
    tokens.add("c", verified)
    assert len(tokens) == 2
    assert tokens.caller("b", "/", 50.0) is None
    assert tokens.caller("a", "/", 50.0) is caller
    assert tokens.caller("c", "/", 50.0) is caller
