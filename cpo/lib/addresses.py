"""Whose request is it? What a trusted proxy says in front of us, else the peer of the connection."""

import ipaddress

from django.conf import settings


def client(peer: str, forwarded_for: str) -> str:
    """Return the client's address: the last entry of X-Forwarded-For if a trusted proxy is the peer, else the peer.

    Only the last entry is the proxy's own word; what stands before it, anybody may have written.
    """
    last = forwarded_for.rpartition(",")[2].strip()
    return last if is_trusted(peer) and _is_address(last) else peer[:64]


def is_trusted(peer: str) -> bool:
    """True when this peer is one of TRUSTED_PROXIES (addresses or networks): then its headers are believed."""
    if not settings.TRUSTED_PROXIES or not _is_address(peer):
        return False
    address = ipaddress.ip_address(peer)
    return any(address in ipaddress.ip_network(network) for network in settings.TRUSTED_PROXIES)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
