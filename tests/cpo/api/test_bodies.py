"""JSON in and out: exact, bounded, and errors in one shape."""

from decimal import Decimal

import pytest

from cpo.api.exact_json import ExactJSONRenderer
from tests import factories
from tests.cpo.api.client import ApiClient, parsed

pytestmark = pytest.mark.django_db

HOSTILE = {
    "empty": b"",
    "no json": b"hello",
    "cut": b'{"uid": "BO-1"',
    "not utf-8": b'{"uid": "\xff"}',
    "NaN": b'{"uid": NaN}',
    "Infinity": b'{"uid": -Infinity}',
    "NUL": b'{"uid": "a\\u0000b"}',
    "lone surrogate": b'{"uid": "\\ud800"}',
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "long integer": b'{"uid": ' + b"9" * 5000 + b"}",
    "large exponent": b'{"uid": 1e400}',
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "path", ["tokens/", "stations/", "stations/ADA-1/commands/", "tariffs/", "tariffs/price/"]
)
def test_it_answers_400_to_a_hostile_body(api, path, body):
    factories.station("ADA-1", is_online=True, ocpp_version="1.6")

    answer = api("POST", path, body)

    assert answer.status_code == 400, answer.content
    assert parsed(answer)["error"].keys() == {"code", "message", "fields"}


def test_it_answers_413_to_a_body_that_is_too_large(api, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    answer = api("POST", "tokens/", {"uid": "x" * 200})

    assert (answer.status_code, parsed(answer)["error"]["code"]) == (413, "body_too_large")


def test_it_answers_json_to_a_browser_and_to_a_caller_who_wants_csv(api):
    for accept in ("text/html", "text/csv", "application/xml;q=0.9"):
        assert api("GET", "tokens/", accept=accept)["Content-Type"] == "application/json"


def test_it_takes_json_without_being_told_that_it_is(api):
    answer = api.http.generic(
        "POST", "/api/v1/tokens/", b'{"uid": "BO-1"}', content_type="text/plain",
        headers={"authorization": f"Bearer {api.token}"},
    )  # fmt: skip

    assert answer.status_code == 201


@pytest.mark.parametrize("path", ["", "nothing/", "stations/ADA-1/nothing/", "sessions/a/b/"])
def test_it_answers_404_in_its_own_shape_where_no_path_is(path):
    answer = ApiClient()("GET", path)

    assert (answer.status_code, parsed(answer)["error"]["code"]) == (404, "not_found")


def test_it_answers_405_to_a_method_that_the_path_does_not_have(api):
    answer = api("PUT", "tokens/", {})

    assert (answer.status_code, parsed(answer)["error"]["code"]) == (405, "method_not_allowed")


def test_it_says_which_role_may_not_do_what(client_of):
    error = client_of("viewer").post("tokens/", {"uid": "BO-1"}, expect=403)["error"]

    assert (error["code"], error["message"]) == (
        "permission_denied",
        "The role viewer may not do this: token.write.",
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("12345", "12345"),
        ("12345.5000", "12345.5"),
        ("1E+3", "1000"),
        ("0.0001", "0.0001"),
        ("-0.0", "0"),
        ("0E-4", "0"),
    ],
)
def test_it_writes_decimals_as_the_numbers_that_they_are(number, text):
    assert ExactJSONRenderer().render({"n": Decimal(number)}) == f'{{"n":{text}}}'.encode()
