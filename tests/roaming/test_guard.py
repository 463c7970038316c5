"""No partner reaches our own network through us (SECURITY O9-O14, annex B), and none holds a worker for long."""

import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from cpo.lib import guard
from roaming import client
from roaming.models import Connection


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    """Listen on loopback, where a forbidden request would arrive."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        yield listener


def names(monkeypatch, **table):
    """Let names resolve as the table says, like a name server of the attacker's."""
    answers = {name.replace("_", "."): list(addresses) for name, addresses in table.items()}

    def resolve(host, port, **_options):
        if host not in answers:
            raise socket.gaierror(host)
        found = answers[host][0] if isinstance(answers[host][0], tuple) else tuple(answers[host])
        if isinstance(answers[host][0], tuple) and len(answers[host]) > 1:
            answers[host].pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def fetch(url: str, timeout_s: float = 2) -> tuple[int, dict[str, str], bytes]:
    return client.fetch("GET", url, headers={}, content=None, timeout_s=timeout_s)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://user:secret@example.com/",
        "https://good.example@evil.example/",
        "https://example.com:22/",
        "https://example.com:8080/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "//example.com/",
        "https://",
        "https:///path",
        "not a url",
        "https://[fe80::1%25eth0]/",
        "https://exa mple.com/",
        "https://example.com:99999/",
        "https://example.com/" + "a" * 3000,
        "",
    ],
)
def test_attack_o9_urls_that_are_not_plain_https_are_not_opened(settings, url):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = False

    with pytest.raises(guard.ForbiddenUrl):
        guard.check_url(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "10.0.0.1",
        "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "[fc00::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]",
    ],
)  # fmt: skip
def test_attack_o10_addresses_that_are_not_public_are_not_opened(settings, trap, host):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = False
    settings.OCPI_ALLOWED_PORTS = [443, trap.getsockname()[1]]

    with pytest.raises((guard.ForbiddenUrl, httpx.ConnectError)):
        fetch(f"https://{host}:{trap.getsockname()[1]}/")

    with pytest.raises(TimeoutError):
        trap.accept()


def test_attack_o11_a_name_with_one_private_address_is_not_opened(settings, monkeypatch):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = False
    names(monkeypatch, evil_example=["93.184.216.34", "10.0.0.1"])

    with pytest.raises(guard.ForbiddenUrl):
        fetch("https://evil.example/")


def test_attack_o12_a_name_that_changes_its_answer_is_asked_only_once(settings, monkeypatch, trap):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = False
    opened = []
    names(monkeypatch, rebind_example=[("93.184.216.34",), ("127.0.0.1",)])
    monkeypatch.setattr(
        guard.httpcore.SyncBackend, "connect_tcp",
        lambda self, host, port, *rest: opened.append(host) or (_ for _ in ()).throw(guard.httpcore.ConnectError()),
    )  # fmt: skip

    with pytest.raises(httpx.ConnectError):
        fetch("https://rebind.example/")

    assert opened == ["93.184.216.34"]


def test_attack_o13_a_redirect_is_not_followed(settings):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    headers = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    with served(headers) as url:
        status, _, _ = fetch(url)

    assert status == 302


def test_attack_o14_the_environments_proxy_is_not_used(settings, monkeypatch, trap):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    port = trap.getsockname()[1]
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    with served(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as url:
        assert fetch(url)[2] == b"ok"

    with pytest.raises(TimeoutError):
        trap.accept()


def test_the_link_local_range_stays_closed_even_where_private_addresses_are_allowed(settings):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True

    with pytest.raises(guard.ForbiddenUrl):
        fetch("http://169.254.169.254/")


def test_the_transport_really_runs_over_the_guarded_backend():
    transport = guard.GuardedTransport()

    assert isinstance(transport._pool._network_backend, guard.GuardedBackend)


def test_a_partner_that_drips_bytes_is_cut_at_the_deadline(settings):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    started = time.monotonic()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    with served(head, drip=b"x" * 1000) as url, pytest.raises(httpx.TimeoutException):
        fetch(url, timeout_s=0.6)

    assert time.monotonic() - started < 2


def test_an_answer_without_end_is_cut_at_the_body_limit(settings):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    settings.OCPI_BODY_LIMIT = 10_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n"
    with served(head + b"x" * 20_000) as url, pytest.raises(client.TooMuch):
        fetch(url)


def test_a_small_answer_that_inflates_beyond_the_limit_is_refused(settings):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    bomb = gzip.compress(b"0" * 50_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with served(head + bomb) as url, pytest.raises(client.TooMuch):
        fetch(url)


def test_gzip_within_the_limit_is_read(settings):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    body = gzip.compress(b'{"status_code": 1000}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with served(head + body) as url:
        assert fetch(url)[2] == b'{"status_code": 1000}'


def test_a_forbidden_url_is_an_answer_with_the_reason(settings):
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = False
    connection = Connection(name="x", created_at=None)

    answer, record = client.exchange(connection, "GET", "http://127.0.0.1/", module="versions")

    assert not answer.is_ok
    assert answer.error == record.error == "not opened: only https is allowed"


@pytest.mark.parametrize(
    ("endpoint", "parts", "url"),
    [
        ("https://x.example/cdrs", ("a",), "https://x.example/cdrs/a"),
        ("https://x.example/cdrs/", ("a",), "https://x.example/cdrs/a"),
        ("https://x.example/cdrs//", ("NL", "A/B"), "https://x.example/cdrs/NL/A%2FB"),
        ("https://x.example/p?key=1", ("..", "q?#"), "https://x.example/p/../q%3F%23?key=1"),
    ],
)
def test_endpoints_and_ids_are_joined_with_one_slash_and_escaped(endpoint, parts, url):
    assert client.join(endpoint, *parts) == url


@contextlib.contextmanager
def served(raw: bytes, *, drip: bytes = b"") -> Iterator[str]:
    """Serve one connection with these bytes; `drip` follows a byte at a time."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, contextlib.suppress(OSError):
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(raw)
                for byte in drip:
                    peer.sendall(bytes([byte]))
                    time.sleep(0.05)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    client.close()
    listener.close()
    thread.join(timeout=5)
