"""The guard of every address that somebody else chose: nobody must reach our own network by us, or by our stations.

https only, allowed ports, no user in the URL; the name is resolved once, every address must be a public one, and the
socket is opened to the address that was checked. INTEGRATIONS_ALLOW_PRIVATE_IPS lifts scheme, port and range (demo,
tests, a partner in the same network), but never opens the link-local range, where clouds keep their secrets.

`check_location` is for addresses that a station opens, not we: file servers of others, of which each is listed.
"""

import contextvars
import ipaddress
import socket
import time
from collections.abc import Collection, Iterable
from typing import Any

import httpcore
import httpx
from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_URL = 2000  # characters
LOCATION_SCHEMES = frozenset(
    {"https", "http", "ftp", "ftps", "sftp"}
)  # OCPP 1.6 section 8, 2.0.1 FileTransferProtocols
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_deadline: contextvars.ContextVar[float] = contextvars.ContextVar("deadline", default=float("inf"))


class ForbiddenUrl(Exception):
    """We do not open such a URL; the text says why and may be shown."""


def check_url(url: str) -> httpx.URL:
    """Return the parsed URL; raises ForbiddenUrl. What its name resolves to is checked when it is opened."""
    try:
        parsed = httpx.URL(url)
        port = parsed.port
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise ForbiddenUrl("not a URL") from error
    lenient = settings.INTEGRATIONS_ALLOW_PRIVATE_IPS
    if len(url) > MAX_URL:
        raise ForbiddenUrl("URL too long")
    if parsed.scheme != "https" and not (lenient and parsed.scheme == "http"):
        raise ForbiddenUrl("only https is allowed")
    if not parsed.host or "%" in parsed.host:
        raise ForbiddenUrl("no host")
    if parsed.userinfo:
        raise ForbiddenUrl("user and password do not belong into a URL")
    if (port or 443) not in settings.OCPI_ALLOWED_PORTS and not lenient:
        raise ForbiddenUrl(f"port {port} is not allowed")
    return parsed


def check_location(url: str, *, hosts: Collection[str]) -> None:
    """Raise ForbiddenUrl unless a station may be sent to this file server: its host is one of `hosts` and public.

    No user and no password, for the URL stands in journals, and no address in the place of a name that is not listed.
    """
    try:
        parsed = httpx.URL(url)
        host, port = parsed.host.rstrip(".").lower(), parsed.port
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise ForbiddenUrl("not a URL") from error
    if len(url) > MAX_URL or not url.isprintable():
        raise ForbiddenUrl("URL too long, or with characters that no URL has")
    if parsed.scheme not in LOCATION_SCHEMES:
        raise ForbiddenUrl("only https, http, ftp, ftps and sftp are allowed")
    if not host or "%" in host:
        raise ForbiddenUrl("no host")
    if parsed.userinfo:
        raise ForbiddenUrl("user and password do not belong into a URL")
    if host not in {name.rstrip(".").lower() for name in hosts}:
        raise ForbiddenUrl(f"{host} is not among the file servers that are allowed (FILES_EXTERNAL_HOSTS)")
    try:
        resolve(host, port or 0)
    except (OSError, UnicodeError) as error:
        raise ForbiddenUrl(f"{host} cannot be resolved") from error


def is_allowed(address: Address) -> bool:
    """Tell whether we may connect to this address."""
    address = _unwrap(address)
    lenient = bool(settings.INTEGRATIONS_ALLOW_PRIVATE_IPS)
    if address.is_loopback:
        return lenient
    if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global or lenient


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host; raises ForbiddenUrl if any of them is not allowed, OSError if there is none."""
    found = dict.fromkeys(
        str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    for text in found:
        if not is_allowed(ipaddress.ip_address(text.partition("%")[0])):
            raise ForbiddenUrl(f"{host} is not a public address")
    return list(found)


def _unwrap(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 one: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if address.teredo:
        return address.teredo[1]
    if any(address in network for network in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class deadline:  # noqa: N801  (reads as a statement: `with deadline(3):`)
    """Bound everything that the block reads and writes through a guarded transport, in seconds together."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def __enter__(self) -> None:
        self._token = _deadline.set(self._until)

    def __exit__(self, *_exception: object) -> None:
        _deadline.reset(self._token)


def _bounded(timeout: float | None, error: type[Exception]) -> float:
    """Return the time left for one operation; raises `error` when there is none."""
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise error("deadline")
    return min(left, timeout if timeout is not None else left)


class _Stream(httpcore.NetworkStream):
    """A stream whose operations together end at the deadline: a partner that drips bytes holds no worker."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _bounded(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _bounded(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _bounded(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class GuardedBackend(httpcore.NetworkBackend):
    """Opens sockets only to addresses that were resolved and checked here."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = resolve(host, port)
        except (OSError, UnicodeError, ValueError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved") from error
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses[:4]:
            try:
                left = _bounded(timeout, httpcore.ConnectTimeout)
                return _Stream(
                    self._inner.connect_tcp(address, port, left, local_address, socket_options or [])
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(self, *_args: Any, **_kwargs: Any) -> httpcore.NetworkStream:
        raise ForbiddenUrl("no local sockets")


class GuardedTransport(httpx.HTTPTransport):
    """httpx's transport over the guarded backend: no proxy of the environment, no redirects, few idle sockets."""

    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=64,
            max_keepalive_connections=16,
            keepalive_expiry=20,
            network_backend=GuardedBackend(),
        )
