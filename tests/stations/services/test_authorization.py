"""May this token charge here now? (OCPP 1.6 sections 3.5, 4.1, 4.8, 7.8; field notes, quirks 1 and 23)."""

from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, IdToken, UnknownToken
from stations.ocpp.v16 import values
from stations.ports import Decision
from stations.services import authorization, sessions, token_groups, unknown_tokens
from stations.services.errors import InvalidToken
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def station() -> ChargingStation:
    return factories.station("ADA", connectors=2)


def token(uid: str = "BO-1", **fields: Any) -> IdToken:
    return authorization.save_token(uid, **fields)[0]


def status(uid: str, station: ChargingStation) -> str:
    return authorization.authorize(uid, station=station).status


def start(
    station: ChargingStation, uid: str = "BO-1", *, key: str = "one", number: int = 1, at: Any = NOON
) -> sessions.Started:
    facts = sessions.Start(
        evse_id=factories.evse(station, number).pk,
        connector_number=1,
        id_token=uid,
        started_at=at,
        meter_start_wh=None,
        key=key,
    )
    return sessions.start(station, facts=facts)


# --- places


def test_a_token_bound_to_a_site_charges_there_only(station: ChargingStation) -> None:
    bo = token(locations=[station.location])

    assert bo.is_restricted
    assert status("BO-1", station) == "Accepted"
    assert status("BO-1", factories.station()) == "NotAtThisLocation"
    assert status("BO-1", factories.station(location=None)) == "NotAtThisLocation"


def test_a_token_bound_to_an_operator_charges_at_all_its_sites(station: ChargingStation) -> None:
    token(operators=[station.location.operator])  # type: ignore[union-attr]
    theirs = factories.location(factories.operator(party_id="TWO"))

    assert status("BO-1", factories.station()) == "Accepted"
    assert status("BO-1", factories.station(location=theirs)) == "NotAtThisLocation"


def test_a_token_that_is_bound_no_more_is_free_again(station: ChargingStation) -> None:
    token(locations=[factories.location()], max_sessions=1)

    freed = token(locations=[], max_sessions=None)

    assert not freed.is_restricted
    assert status("BO-1", station) == "Accepted"


# --- groups


def test_the_group_of_a_token_is_told_in_its_own_letters(station: ChargingStation) -> None:
    token(group_id="FLEET")

    assert authorization.authorize("bo-1", station=station).group_id == "FLEET"


def test_a_blocked_group_blocks_its_tokens_until_it_is_free_again(station: ChargingStation) -> None:
    bo = token(group_id="Fleet")

    group, _ = token_groups.save("FLEET", status="Blocked")
    bo.refresh_from_db()

    assert (bo.is_restricted, status("BO-1", station)) == (True, "Blocked")
    token_groups.delete(group)
    bo.refresh_from_db()
    assert (bo.is_restricted, status("BO-1", station)) == (False, "Accepted")


def test_a_token_that_joins_a_blocked_group_is_blocked(station: ChargingStation) -> None:
    token_groups.save("FLEET", status="Blocked")

    token(group_id="fleet")

    assert status("BO-1", station) == "Blocked"


def test_a_group_of_ours_is_not_a_partners_group(station: ChargingStation) -> None:
    token_groups.save("FLEET", status="Blocked")

    theirs = token(country_code="NL", party_id="ABC", group_id="FLEET")

    assert not theirs.is_restricted


def test_a_group_counts_the_sessions_of_all_its_tokens(station: ChargingStation) -> None:
    token_groups.save("FLEET", max_sessions=1)
    token("BO-1", group_id="FLEET")
    token("CY-1", group_id="FLEET")
    start(factories.station(), "BO-1")

    assert start(station, "CY-1").decision.status == "ConcurrentTx"


# --- the maximum of concurrent sessions


def test_one_session_too_many_is_stored_and_refused(station: ChargingStation) -> None:
    token(max_sessions=1)
    first = start(factories.station())

    second = start(station)

    assert (first.decision.status, second.decision.status) == ("Accepted", "ConcurrentTx")
    assert second.session.flags == ["unauthorised"]


def test_a_repeated_start_is_never_counted_against_itself(station: ChargingStation) -> None:
    token(max_sessions=1)
    first = start(station)

    again = start(station)

    assert (again.session.pk, again.decision.status, again.is_new) == (first.session.pk, "Accepted", False)


def test_a_start_told_again_for_another_connector_is_not_counted_against_itself(
    station: ChargingStation,
) -> None:
    token(max_sessions=1)
    start(station, key="one", number=1)

    assert start(station, key="two", number=2).decision.status == "Accepted"
    assert start(station, key="three", at=NOON + timedelta(hours=1)).decision.status == "ConcurrentTx"


def test_a_session_that_was_refused_does_not_count(station: ChargingStation) -> None:
    token(max_sessions=1)
    factories.session(station, token=IdToken.objects.get(), authorization_status="ConcurrentTx")

    assert start(factories.station()).decision.status == "Accepted"


def test_a_session_that_has_ended_does_not_count(station: ChargingStation) -> None:
    token(max_sessions=1)
    factories.session(station, token=IdToken.objects.get(), ended=True)

    assert start(factories.station()).decision.status == "Accepted"


def test_who_comes_to_stop_his_session_is_let_in_where_it_runs(station: ChargingStation) -> None:
    token(max_sessions=1)
    start(station)

    assert status("BO-1", station) == "Accepted"
    assert status("BO-1", factories.station()) == "ConcurrentTx"


# --- what stations make of a uid (quirk 23)


@pytest.mark.parametrize(
    ("stored", "presented", "flags"),
    [
        ("bo-1", "BO-1", ()),
        ("BO-1", " BO-1  ", ("token_padding",)),
        ("BO-1", "BO-1;VISA;1234", ("token_suffix",)),
        ("04A1B2C3", "04:a1:b2:c3", ("token_spelling",)),
        ("04A1B2C3D4E5F607", "04A1B2C3D4E5F607\x00\x11", ("token_garbage",)),
        ("NL-ABC-000000000000000001", "NL-ABC-0000000000000", ("token_truncated",)),
        ("NL-ABC-0000000000000", "nl-abc-000000000", ("token_truncated",)),
    ],
)
def test_a_spoilt_uid_is_recognised_and_flagged(
    station: ChargingStation, stored: str, presented: str, flags: tuple[str, ...]
) -> None:
    bo = token(stored)

    decision = authorization.authorize(presented, station=station)

    assert (decision.status, decision.token, decision.flags) == ("Accepted", bo, flags)


def test_a_token_that_is_stored_as_presented_goes_before_any_tolerance(station: ChargingStation) -> None:
    token("BO-1")
    exact = token("BO-1;VISA")

    assert authorization.authorize("BO-1;VISA", station=station).token == exact


def test_a_cut_off_uid_that_could_be_two_is_not_guessed(station: ChargingStation) -> None:
    token("NL-ABC-00000000000001")
    token("NL-ABC-00000000000002")

    assert status("NL-ABC-000000000", station) == "Invalid"


def test_a_card_read_backwards_is_found_where_that_is_wanted(station: ChargingStation, settings: Any) -> None:
    token("04A1B2C3")
    assert status("C3B2A104", station) == "Invalid"

    settings.OCPP_TOKEN_BYTE_ORDER = True

    assert authorization.authorize("C3B2A104", station=station).flags == ("token_byte_order",)


def test_a_tolerance_stays_with_the_session(station: ChargingStation) -> None:
    token("BO-1")

    session = start(station, "BO-1;VISA").session
    session.refresh_from_db()

    assert (session.id_token, session.flags, session.needs_review) == ("BO-1;VISA", ["token_suffix"], False)


# --- unknown tokens


def test_an_unknown_token_is_kept_once_and_counted(station: ChargingStation) -> None:
    for uid in ("CY-1", "cy-1", "CY-1"):
        assert status(uid, station) == "Invalid"

    row = UnknownToken.objects.get()
    assert (row.uid, row.count, row.station) == ("CY-1", 3, station)
    assert row.last_at > row.first_at


def test_what_a_stop_says_is_not_collected(station: ChargingStation) -> None:
    authorization.identify("CY-1", station=station, is_collected=False)

    assert not UnknownToken.objects.exists()


def test_the_number_of_unknown_tokens_is_bounded(
    station: ChargingStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unknown_tokens, "OF_A_STATION", 2)
    monkeypatch.setattr(unknown_tokens, "ALTOGETHER", 3)
    for number in range(4):
        status(f"TRY-{number}", station)
    status("TRY-1", station)
    elsewhere = factories.station()
    for number in range(4, 7):
        status(f"TRY-{number}", elsewhere)

    found = dict(UnknownToken.objects.values_list("uid", "count"))
    assert found == {"TRY-0": 1, "TRY-1": 2, "TRY-4": 1}


def test_an_unknown_token_that_is_accepted_may_charge(station: ChargingStation) -> None:
    status("CY-1", station)

    authorization.accept_unknown(UnknownToken.objects.get(), name="Cy")

    assert status("CY-1", station) == "Accepted"
    assert not UnknownToken.objects.exists()


def test_what_is_too_long_for_a_token_cannot_be_accepted(station: ChargingStation) -> None:
    status("x" * 40, station)

    with pytest.raises(InvalidToken):
        authorization.accept_unknown(UnknownToken.objects.get())


def test_an_unknown_token_is_ignored_and_at_last_forgotten(station: ChargingStation) -> None:
    status("CY-1", station)
    unknown_tokens.ignore(UnknownToken.objects.get())
    UnknownToken.objects.update(last_at=clock.now() - timedelta(days=91))

    assert UnknownToken.objects.get().is_ignored
    assert unknown_tokens.forget() == 1


# --- what a station is told


def test_a_cache_keeps_an_accepted_token_no_longer_than_we_say(settings: Any) -> None:
    settings.OCPP_TOKEN_CACHE_S = 3600
    soon, late = clock.now() + timedelta(minutes=5), clock.now() + timedelta(days=5)

    told = [authorization.told_until("Accepted", each) for each in (None, soon, late)]

    assert told[1] == soon
    assert [each - clock.now() > timedelta(minutes=59) for each in told if each] == [True, False, True]
    assert authorization.told_until("Blocked", None) is None


@pytest.mark.parametrize(
    ("status", "word"),
    [("Accepted", "Accepted"), ("NotAtThisLocation", "Blocked"), ("NoCredit", "Blocked"), ("Odd", "Invalid")],
)
def test_a_decision_is_told_in_words_of_1_6(status: str, word: str) -> None:
    assert values.id_tag_info(Decision(status=status)) == {"status": word}
