"""VAT numbers asked for at a register over real HTTP: kept, and never in the way (OCPP 2.1 C18)."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import VatNumber
from stations.services import vat_lookup
from stations.services.vat_numbers import Company

pytestmark = pytest.mark.django_db
VOLT = {"isValid": True, "userError": "VALID", "name": "VOLT BV", "address": "\nSTREET 00001\n2611AB DELFT\n"}


class Register:
    """A register that answers what it is told to and counts questions."""

    def __init__(self) -> None:
        self.answer: Any = VOLT
        self.status = 200
        self.asked: list[str] = []


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Register, str]]:
    register = Register()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            register.asked.append(self.path)
            body = json.dumps(register.answer).encode()
            self.send_response(register.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield register, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def register(running: tuple[Register, str], settings: Any, monkeypatch: pytest.MonkeyPatch) -> Register:
    found, url = running
    found.__init__()  # type: ignore[misc]
    settings.VAT_LOOKUP_URL, settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = url, True
    monkeypatch.setattr(vat_lookup, "_rests_until", clock.now())
    return found


def test_the_register_says_whose_number_it_is_and_is_asked_once(register: Register) -> None:
    verdicts = [vat_lookup.look_up("NL123456789B01") for _ in range(2)]

    company = Company("VOLT BV", "STREET 00001", "DELFT", "NL", "2611AB")
    assert [(v.is_valid, v.company) for v in verdicts] == [(True, company)] * 2
    assert register.asked == ["/ms/NL/vat/123456789B01"]


def test_a_number_that_nobody_has_is_not_good(register: Register) -> None:
    register.answer = {"isValid": False, "userError": "INVALID", "name": "---", "address": "---"}

    assert not vat_lookup.look_up("DE123456789").is_valid
    assert not VatNumber.objects.get().is_valid


def test_a_member_state_that_tells_no_name_says_that_it_is_good(register: Register) -> None:
    register.answer = {"isValid": True, "userError": "VALID", "name": "---", "address": "---"}

    verdict = vat_lookup.look_up("DE123456789")

    assert (verdict.is_valid, verdict.company) == (True, None)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, {}),
        (200, []),
        (200, "x"),
        (200, {"isValid": "yes"}),
        (200, {"isValid": False, "userError": "MS_UNAVAILABLE"}),
    ],
)
def test_a_register_that_is_away_leaves_it_at_the_form_and_is_left_alone_for_a_while(
    register: Register, status: int, answer: Any
) -> None:
    register.status, register.answer = status, answer

    assert [vat_lookup.look_up("DE123456789").is_valid for _ in range(2)] == [True, True]
    assert len(register.asked) == 1
    assert not VatNumber.objects.exists()


@pytest.mark.parametrize(("number", "is_valid"), [("GB123456789", True), ("DE1", False), ("??", False)])
def test_what_the_register_cannot_know_is_never_asked(
    register: Register, number: str, is_valid: bool
) -> None:
    assert vat_lookup.look_up(number).is_valid == is_valid
    assert register.asked == []
