"""Client certificates, checked by a proxy in front that passes their subject on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from app.errors import StartRefused
from app.identity.caller import Caller
from app.identity.refusal import Refused
from app.identity.tenants import Tenant


class ClientCertificates:
    """Callers by the subject of their certificate, as a trusted proxy names it.

    Anybody can send a header, so it counts only when the connection itself comes from a proxy that
    the operator trusts; from anywhere else it is as if it were not there. The proxy must check the
    certificate, and must overwrite the header that its own clients send.

    Parameters
    ----------
    tenants : mapping of str to Tenant
    trusted_proxies : collection of str
        Addresses or networks (`10.0.0.5`, `10.1.0.0/16`).

    Raises
    ------
    StartRefused
        When a proxy is no address, or certificates are declared and no proxy is trusted.

    Examples
    --------
    >>> from app.identity.tenants import ClientCertificate
    >>> known = ClientCertificate("CN=integration", "integration", frozenset({"assess"}))
    >>> north = Tenant("north", frozenset(), certificates=(known,))
    >>> doors = ClientCertificates({"north": north}, ["10.0.0.0/8"])
    >>> doors.caller("CN=integration", "10.1.2.3").client
    'certificate:integration'
    >>> doors.caller("CN=integration", "192.0.2.1") is None
    True
    """

    def __init__(self, tenants: Mapping[str, Tenant], trusted_proxies: Collection[str]) -> None:
        self._proxies = tuple(_network(proxy) for proxy in trusted_proxies)
        self._callers = {
            certificate.subject: Caller(
                f"certificate:{certificate.client}",
                None,
                tenant.id,
                certificate.scopes,
                tenant.branch_points,
            )
            for tenant in tenants.values()
            for certificate in tenant.certificates
        }
        if self._callers and not self._proxies:
            raise StartRefused(
                "the tenants file declares client certificates, but no proxy is trusted to check "
                "them; name its address"
            )

    def __len__(self) -> int:
        """How many certificates are known."""
        return len(self._callers)

    def caller(self, subject: str | None, peer: str | None) -> Caller | None:
        """Whose certificate a trusted proxy saw; None when none did.

        Raises
        ------
        Refused
            `certificate_unknown`.
        """
        if not subject or not self._callers or not self._is_trusted(peer):
            return None
        found = self._callers.get(subject)
        if found is None:
            raise Refused("certificate_unknown")
        return found

    def _is_trusted(self, peer: str | None) -> bool:
        try:
            address = ip_address(peer or "")
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in proxy for proxy in self._proxies)


def _network(proxy: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(proxy)
    except ValueError:
        raise StartRefused(
            "a trusted proxy must be an address or a network, such as 10.0.0.5 or 10.1.0.0/16"
        ) from None
