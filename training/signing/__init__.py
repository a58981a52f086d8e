"""Signed manifests, and whose signatures count: one implementation for all that leaves an installation.

manifest    the canonical form that is signed, and reading one back
trust       this installation's key, and the public keys that were put in place
"""

from training.signing.errors import ManifestRefused, SigningRefused
from training.signing.manifest import (
    canonical,
    fingerprint,
    hold_signature,
    public_key,
    read_manifest,
    sha256,
    sign,
    signer_of,
)
from training.signing.trust import EXPORTERS, MODEL_MAKERS, key_line, signing_keyring, trusted_keys

__all__ = [
    "EXPORTERS",
    "MODEL_MAKERS",
    "ManifestRefused",
    "SigningRefused",
    "canonical",
    "fingerprint",
    "hold_signature",
    "key_line",
    "public_key",
    "read_manifest",
    "sha256",
    "sign",
    "signer_of",
    "signing_keyring",
    "trusted_keys",
]
