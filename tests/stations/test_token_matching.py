"""How stations spoil uids on the way (field notes, quirk 23)."""

import pytest

from stations import token_matching


@pytest.mark.parametrize(
    ("presented", "uid", "flags"),
    [
        ("04A1B2C3", "04A1B2C3", ()),
        ("  04A1B2C3 ", "04A1B2C3", ("token_padding",)),
        ("04A1B2C3D4E5F607\0\x01\x7fzz", "04A1B2C3D4E5F607", ("token_garbage",)),
        ("04A1B2C3 \ufffd", "04A1B2C3", ("token_garbage", "token_padding")),
        ("\0", "", ("token_garbage",)),
        ("", "", ()),
    ],
)
def test_what_is_no_part_of_a_uid_is_cut_away(presented: str, uid: str, flags: tuple[str, ...]) -> None:
    assert token_matching.clean(presented) == (uid, flags)


@pytest.mark.parametrize(
    ("uid", "found"),
    [
        ("BO-1", []),
        ("BO-1;VISA", [("BO-1", ("token_suffix",))]),
        (";VISA", []),
        ("04:A1:B2:C3", [("04A1B2C3", ("token_spelling",))]),
        ("04 A1 B2 C3", [("04A1B2C3", ("token_spelling",))]),
        ("BO:1", []),
        ("04A1B2C3D4E5F607\xff~", [("04A1B2C3D4E5F607", ("token_garbage",))]),
        ("04A1B2C3D4E5F60788", []),
    ],
)
def test_an_unknown_uid_is_tried_in_other_spellings(uid: str, found: list[object]) -> None:
    assert list(token_matching.spellings(uid)) == found


@pytest.mark.parametrize(
    ("uid", "turned"), [("04a1b2c3", ["C3B2A104"]), ("04A1B2", []), ("ZZA1B2C3", []), ("04A1A104", [])]
)
def test_the_bytes_of_a_card_are_turned_round_on_demand(uid: str, turned: list[str]) -> None:
    assert list(token_matching.spellings(uid)) == []
    assert [each.uid for each in token_matching.spellings(uid, is_byte_order_tried=True)] == turned


@pytest.mark.parametrize(
    ("length", "expected"), [(15, False), (16, True), (19, False), (20, True), (21, False)]
)
def test_a_uid_as_long_as_a_buffer_may_be_cut_off(length: int, expected: bool) -> None:
    assert token_matching.may_be_cut_off("x" * length) is expected
