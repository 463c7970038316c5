"""Numbers, instants and secrets as OCPI and the database want them (OCPI 2.2.1 types)."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from roaming import keyring, wire


@pytest.mark.parametrize(
    ("number", "text"),
    [("1.50", b"1.5"), ("0", b"0"), ("0.00", b"0"), ("-3.0864", b"-3.0864"), ("1E+3", b"1000"), ("1E-4", b"0.0001"),
     ("100", b"100"), ("12345678.9999", b"12345678.9999")],
)  # fmt: skip
def test_decimals_are_json_numbers_without_exponent(number, text):
    assert wire.dumps(Decimal(number)) == text


def test_a_decimal_survives_writing_and_reading_to_the_last_digit():
    number = Decimal("0.1234567890123456789")

    assert wire.loads(wire.dumps([number])) == [number]


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2025, 3, 1, 12, tzinfo=UTC), "2025-03-01T12:00:00Z"),
        (datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC), "2025-03-01T12:00:00.123Z"),
        (datetime(2025, 3, 1, 12, 0, 0, 7, tzinfo=UTC), "2025-03-01T12:00:00Z"),
    ],
)
def test_instants_are_utc_and_fit_into_25_characters(moment, text):
    assert wire.write_moment(moment) == text
    assert len(text) <= 25


@pytest.mark.parametrize(
    "text", ["", "2025-03-01", "12:00", "2025-02-30T00:00:00Z", "2025-03-01T25:00:00Z", "0000-01-01T00:00:00Z",
             "9999-12-31T23:59:59-23:00", "2025-03-01T12:00:00Z; drop table", None, 7]
)  # fmt: skip
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(wire.NotAMoment):
        wire.read_moment(text)


@pytest.mark.parametrize("nesting", [wire.MAX_DEPTH - 1, wire.MAX_DEPTH])
def test_documents_are_read_up_to_the_depth_limit(nesting):
    raw = b"[" * nesting + b"1" + b"]" * nesting

    if nesting < wire.MAX_DEPTH:
        assert wire.loads(raw)
        return
    with pytest.raises(wire.BadDocument):
        wire.loads(raw)


def test_tokens_are_new_printable_and_short_enough():
    tokens = {keyring.new_token() for _ in range(50)}

    assert len(tokens) == 50
    assert all(len(token) <= 64 and token.isascii() and token.isprintable() for token in tokens)


def test_secrets_survive_a_rotation_of_keys_and_end_with_the_last(settings):
    old, new = settings.FIELD_KEYS[0], "b2xkLWtleS1mb3ItdGhlLXRlc3Qtb25seS0wMDAwMDA="
    hidden, seen = keyring.encrypt("token"), keyring.digest("token")

    settings.FIELD_KEYS = [new, old]
    assert keyring.decrypt(hidden) == "token"
    assert seen in keyring.digests("token")

    settings.FIELD_KEYS = [new]
    with pytest.raises(keyring.UnreadableSecret):
        keyring.decrypt(hidden)
    assert seen not in keyring.digests("token")
