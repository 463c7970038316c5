"""One-time passwords of dynamic QR codes against vectors that were worked out by hand (OCPP 2.1 C25)."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations import one_time_passwords as otp

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def by_hand(secret: str, seconds: int, validity_s: int, length: int) -> str:
    """Follow the pseudocode of the specification word for word."""
    base62 = "0123456789abcdefghijklmnpqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    time_bytes = bytes((seconds // validity_s >> shift) & 0xFF for shift in range(56, -8, -8))
    digest = hmac.digest(secret.encode("utf-8"), time_bytes, hashlib.sha256)
    offset, text = digest[len(digest) - 1] & 0x0F, ""
    for i in range(length):
        text += base62[digest[(offset + i) % len(digest)] % len(base62)]
    return text


@given(st.text(min_size=1), st.integers(0, 2**40), st.integers(6, 3600), st.integers(6, 32))
def test_a_password_is_what_the_pseudocode_gives(
    secret: str, seconds: int, validity_s: int, length: int
) -> None:
    assert otp.password(secret, seconds // validity_s, length=length) == by_hand(
        secret, seconds, validity_s, length
    )


@pytest.mark.parametrize(("steps", "is_good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_the_interval_before_and_after_are_good_and_no_other(steps: int, is_good: bool) -> None:
    number = otp.interval(NOON, validity_s=30) + steps
    given_password = otp.password("secret", number, length=8)

    found = otp.matching("secret", given_password, at=NOON, validity_s=30, length=8)

    assert (found == number) if is_good else found is None


@pytest.mark.parametrize("wrong", ["", "ÄÄÄÄÄÄÄÄ", "0" * 9, "\ud800", "o" * 8])
def test_what_is_no_password_matches_none(wrong: str) -> None:
    assert otp.matching("secret", wrong, at=NOON, validity_s=30, length=8) is None


def test_a_password_changes_with_its_interval() -> None:
    first, second = NOON, NOON + timedelta(seconds=30)

    numbers = [otp.interval(at, validity_s=30) for at in (first, second)]

    assert numbers[1] == numbers[0] + 1
    assert otp.password("secret", numbers[0], length=8) != otp.password("secret", numbers[1], length=8)
