"""Whatever a registered partner sends, he gets an OCPI answer and never a fault of ours (SECURITY O21)."""

import json
import uuid
from urllib.parse import quote

import pytest
from django.core.cache import cache
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cpo.lib import clock
from roaming import keyring
from roaming.models import Connection, InboundToken, RemoteParty
from roaming.ocpi.urls import ROUTES
from tests import factories

pytestmark = pytest.mark.django_db

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=60),
    st.just("2025-01-01T00:00:00Z"),
    st.sampled_from(["ALWAYS", "RFID", "NL", "ABC", "true", "\x00", "é", "'; drop table", "../..", "😀", "x" * 300]),
)  # fmt: skip
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
NAMES = ("country_code", "party_id", "uid", "type", "contract_id", "visual_number", "issuer", "group_id", "valid",
         "whitelist", "language", "default_profile_type", "energy_contract", "last_updated", "token", "url",
         "roles")  # fmt: skip
QUERIES = st.dictionaries(
    st.sampled_from(["date_from", "date_to", "offset", "limit", "after", "type", "token"]),
    st.text(max_size=30),
    max_size=4,
)
THOROUGH = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def asks(client, transactional_db):
    """Ask as a registered partner, in process."""
    cache.clear()
    factories.operator()
    connection = Connection.objects.create(
        name="fuzz", status="registered", version="2.2.1", created_at=clock.now(), registered_at=clock.now()
    )
    RemoteParty.objects.create(
        connection=connection, role="EMSP", country_code="NL", party_id="ABC", key="NL*ABC"
    )
    InboundToken.objects.create(
        connection=connection,
        purpose="access",
        digest=keyring.digest("token"),
        prefix="token",
        created_at=clock.now(),
    )

    def ask(method, path, body=None, **headers):
        raw = None if body is None else json.dumps(body)
        return client.generic(
            method,
            path,
            raw or "",
            content_type="application/json",
            headers={"Authorization": "Token token", **headers},
        )

    return ask


def check(answer):
    body = json.loads(answer.content)
    assert answer.status_code < 500, body
    assert (
        {"status_code", "timestamp"} <= body.keys() <= {"status_code", "timestamp", "status_message", "data"}
    )


@THOROUGH
@given(
    document=st.dictionaries(st.sampled_from(NAMES), DOCUMENTS) | DOCUMENTS,
    method=st.sampled_from(["PUT", "PATCH"]),
)
def test_any_document_as_a_token_is_answered(asks, document, method):
    check(asks(method, "/ocpi/cpo/2.2.1/tokens/NL/ABC/EMP-1", document))


@THOROUGH
@given(
    query=QUERIES,
    route=st.sampled_from([pattern for pattern, _ in ROUTES]),
    names=st.lists(st.text(max_size=40), min_size=4, max_size=4),
)
def test_any_path_and_query_is_answered(asks, query, route, names):
    segments = iter(names)
    path = "/".join(
        "2.2.1" if part == "<version>" else quote(next(segments), safe="") if part.startswith("<") else part
        for part in route.split("/")
    )
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())

    check(asks("GET", f"/ocpi/{path}?{text}"))


@THOROUGH
@given(
    values=st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12), min_size=6, max_size=6
    )
)
def test_any_header_is_answered(asks, values):
    names = ("OCPI-to-party-id", "OCPI-to-country-code", "OCPI-from-party-id", "OCPI-from-country-code", "X-Request-ID",
             "X-Correlation-ID")  # fmt: skip

    check(asks("GET", "/ocpi/cpo/2.2.1/locations", **dict(zip(names, values, strict=True))))


@THOROUGH
@given(document=st.dictionaries(st.sampled_from(NAMES), DOCUMENTS) | DOCUMENTS)
def test_any_document_as_credentials_is_answered_without_a_request_of_ours(asks, document):
    check(asks("POST", "/ocpi/2.2.1/credentials", document))


def test_the_document_that_is_right_is_taken(asks):
    token = {"country_code": "NL", "party_id": "ABC", "uid": uuid.uuid4().hex, "type": "RFID", "contract_id": "c",
             "issuer": "i", "valid": True, "whitelist": "ALWAYS", "last_updated": "2025-01-01T00:00:00Z"}  # fmt: skip

    assert asks("PUT", f"/ocpi/cpo/2.2.1/tokens/NL/ABC/{token['uid']}", token).status_code == 201
