"""From one list to another (OCPP 1.6 section 5.15)."""

from hypothesis import given
from hypothesis import strategies as st

from stations.services.local_list_updates import LAST_VERSION, Change, difference, next_version, whole

A, B, C = ["A", "RFID", "", ""], ["B", "RFID", "", "G"], ["c", "RFID", "", ""]


def test_a_difference_says_what_goes_what_comes_and_what_is_another() -> None:
    changed = ["B", "RFID", "2030-01-01T00:00:00+00:00", "G"]

    assert difference([A, B], [changed, C]) == [
        Change("A", "RFID", is_removed=True),
        Change(*changed),
        Change(*C),
    ]


def test_equal_lists_differ_in_nothing() -> None:
    assert difference([A, B], [B, A]) == []


def test_other_letters_are_a_change_and_no_removal() -> None:
    assert difference([["c", "RFID", "", ""]], [["C", "RFID", "", ""]]) == [Change("C", "RFID")]


uids = st.lists(st.text("ABCabc1", min_size=1, max_size=3), unique_by=str.upper)
entries = uids.flatmap(
    lambda found: st.tuples(
        *(st.tuples(st.just(u), st.just("RFID"), st.sampled_from(["", "x"]), st.just("")) for u in found)
    )
)


@given(entries, entries)
def test_a_difference_applied_to_the_one_list_gives_the_other(before, after) -> None:  # type: ignore[no-untyped-def]
    held = {change.uid.upper(): change for change in whole(before)}
    for change in difference(before, after):
        held.pop(change.uid.upper(), None)
        if not change.is_removed:
            held[change.uid.upper()] = change

    assert held == {change.uid.upper(): change for change in whole(after)}


def test_a_version_is_greater_than_all_that_are_known_and_never_zero() -> None:
    assert [next_version(), next_version(-1), next_version(0, None), next_version(4, 7)] == [1, 1, 1, 8]
    assert next_version(LAST_VERSION) == 1
