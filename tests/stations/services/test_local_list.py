"""Local lists kept in step (OCPP 1.6 sections 3.5.2, 5.10, 5.15; errata 3.52), command by command."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from roaming.models import Connection, RemoteParty
from stations.models import ChargingStation, Command, LocalList, LocalListContent, ReviewItem, Variable
from stations.services import (
    authorization,
    commands,
    configuration,
    local_list,
    local_list_contents,
    token_groups,
)
from stations.services.errors import NoLocalList
from tests import factories

pytestmark = pytest.mark.django_db
Tokens = list[str]


@pytest.fixture
def station() -> ChargingStation:
    return factories.station("ADA", is_online=True, epoch=1, ocpp_version="1.6")


def token(uid: str, **fields: Any) -> None:
    authorization.save_token(uid, **fields)


def told(station: ChargingStation, **keys: str) -> None:
    words = {"LocalAuthListEnabled": "true", "LocalAuthListMaxLength": "100", "SendLocalListMaxLength": "50"}
    entries = [{"key": name, "value": value, "readonly": False} for name, value in (words | keys).items()]
    configuration.store(station.pk, keys=entries, unknown=[], now=clock.now())


def on(station: ChargingStation, **keys: str) -> None:
    """Switch the station's list on and make it."""
    told(station, **keys)
    local_list.switch(station, mode="on")
    local_list_contents.refresh_if_marked()
    local_list.sweep()  # learns the limits
    local_list_contents.refresh_if_marked()
    local_list.sweep()


def answer(station: ChargingStation, **result: Any) -> Command:
    """Let the station answer what was sent to it."""
    command = commands.claim(station.pk, epoch=1)
    assert command is not None, "nothing was sent"
    commands.answered(command.uid, station_id=station.pk, result=result)
    return command


def sent(command: Command) -> tuple[str, list[str]]:
    """Say what an update said: its type, and its uids; a minus is one that goes."""
    entries = command.payload["localAuthorizationList"]
    return command.payload["updateType"], [("" if "idTagInfo" in e else "-") + e["idTag"] for e in entries]


def of(station: ChargingStation) -> LocalList:
    return LocalList.objects.get(station=station)


def brought_in_step(station: ChargingStation, **keys: str) -> LocalList:
    """Take the station to where its list is in step, with version 1."""
    on(station, **keys)
    answer(station, listVersion=0)
    answer(station, status="Accepted")
    answer(station, listVersion=1)
    row = of(station)
    assert row.state == "in_step", row.problem
    return row


def changed() -> None:
    """Let what has changed reach the stations."""
    local_list_contents.refresh_if_marked()
    LocalList.objects.update(next_try_at=None)
    local_list.sweep()


# --- what is on a list


def listed(station: ChargingStation) -> Tokens:
    if not LocalList.objects.filter(station=station).exists():
        told(station)
        local_list.switch(station, mode="on")
    local_list_contents.refresh()
    return [entry[0] for entry in of(station).wanted.entries]  # type: ignore[union-attr]


def test_tokens_that_may_charge_are_on_the_list(station: ChargingStation) -> None:
    for uid, fields in {
        "OK": {},
        "LATER": {"expires_at": clock.now() + timedelta(days=1)},
        "BLOCKED": {"status": "Blocked"},
        "EXPIRED": {"expires_at": clock.now()},
        "APP": {"type": "APP_USER"},
        "MORE-THAN-20-CHARACTERS": {},
    }.items():
        token(uid, **fields)

    assert listed(station) == ["LATER", "OK"]
    assert of(station).wanted.too_long == 1  # type: ignore[union-attr]


def test_tokens_bound_to_other_places_are_not(station: ChargingStation) -> None:
    token("HERE", locations=[station.location])
    token("THERE", locations=[factories.location()])
    token("OURS", operators=[station.location.operator])  # type: ignore[union-attr]
    token("LIMITED", max_sessions=1)

    assert listed(station) == ["HERE", "LIMITED", "OURS"]


def test_tokens_of_a_blocked_group_are_not(station: ChargingStation) -> None:
    token("BO-1", group_id="fleet")
    token_groups.save("FLEET", status="Blocked")

    assert listed(station) == []


@pytest.mark.parametrize(
    ("whitelist", "status", "found"),
    [
        ("ALWAYS", "registered", ["CY-1"]),
        ("ALLOWED", "registered", ["CY-1"]),
        ("ALLOWED_OFFLINE", "registered", ["CY-1"]),
        ("NEVER", "registered", []),
        ("ALWAYS", "suspended", []),
    ],
)
def test_a_partners_token_is_listed_as_the_partner_allows(
    station: ChargingStation, whitelist: str, status: str, found: Tokens
) -> None:
    partner = Connection.objects.create(name="ABC", status=status, version="2.2.1", created_at=clock.now())
    RemoteParty.objects.create(
        connection=partner, role="EMSP", country_code="NL", party_id="ABC", key="NL*ABC", name="ABC"
    )
    token("CY-1", country_code="NL", party_id="ABC", whitelist=whitelist)

    assert listed(station) == found


def test_a_list_that_is_too_long_keeps_who_charged_last(station: ChargingStation) -> None:
    for number in range(4):
        token(f"BO-{number}")
    from stations.models import IdToken

    factories.session(station, ended=True, token=IdToken.objects.get(uid="BO-1"))
    told(station)
    local_list.switch(station, mode="on")
    LocalList.objects.update(max_entries=2)

    assert listed(station) == ["BO-1", "BO-3"]
    assert of(station).wanted.left_out == 2  # type: ignore[union-attr]


def test_a_station_that_does_not_tell_how_many_it_keeps_gets_no_endless_list(
    station: ChargingStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_list_contents, "MOST_UNTOLD", 2)
    for number in range(4):
        token(f"BO-{number}")

    assert len(listed(station)) == 2


def test_stations_with_equal_lists_share_one_row(station: ChargingStation, settings: Any) -> None:
    settings.OCPP_LOCAL_LIST = True
    token("BO-1")
    for _ in range(3):
        factories.station()

    local_list_contents.refresh()

    assert LocalList.objects.count() == 4
    assert LocalList.objects.values("wanted").distinct().count() == 1


def test_making_lists_costs_the_same_for_many_stations(
    station: ChargingStation, settings: Any, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    settings.OCPP_LOCAL_LIST = True
    token("BO-1")
    for _ in range(10):
        factories.station(location=station.location)
    local_list_contents.refresh()
    token("BO-2")

    with django_assert_max_num_queries(32):
        assert local_list_contents.refresh_if_marked() == 11


def test_nothing_is_made_while_nothing_changes(
    station: ChargingStation, django_assert_num_queries: Callable[[int], Any]
) -> None:
    listed(station)
    local_list_contents.refresh_if_marked()

    with django_assert_num_queries(3):  # savepoint, marks, release
        assert local_list_contents.refresh_if_marked() == 0


@pytest.mark.parametrize(
    ("everywhere", "site", "mode", "expected"),
    [
        (True, None, "", True),
        (False, None, "", False),
        (True, False, "", False),
        (False, True, "", True),
        (True, True, "off", False),
        (False, False, "on", True),
    ],
)
def test_a_station_a_site_and_the_installation_decide_in_this_order(
    station: ChargingStation, settings: Any, everywhere: bool, site: bool | None, mode: str, expected: bool
) -> None:
    settings.OCPP_LOCAL_LIST = everywhere
    assert station.location is not None
    local_list.switch_site(station.location, is_on=site)
    local_list.switch(station, mode=mode)

    local_list_contents.refresh()

    assert of(station).is_on is expected


# --- in step


def test_a_first_list_is_sent_whole_and_proved_by_its_version(station: ChargingStation) -> None:
    token("BO-1", group_id="FLEET", expires_at=clock.now() + timedelta(days=400))
    on(station)

    answer(station, listVersion=0)
    update = answer(station, status="Accepted")
    answer(station, listVersion=1)

    assert (update.payload["listVersion"], sent(update)) == (1, ("Full", ["BO-1"]))
    info = update.payload["localAuthorizationList"][0]["idTagInfo"]
    assert (info["status"], info["parentIdTag"], info["expiryDate"][-1]) == ("Accepted", "FLEET", "Z")
    assert (of(station).state, of(station).version) == ("in_step", 1)


def test_a_list_of_somebody_else_is_replaced_by_a_greater_version(station: ChargingStation) -> None:
    on(station)

    answer(station, listVersion=41)

    assert (of(station).state, of(station).version) == ("sending", 42)


def test_a_changed_token_is_sent_as_a_difference(station: ChargingStation) -> None:
    for number in range(4):
        token(f"BO-{number}")
    brought_in_step(station)

    token("BO-0", status="Blocked")
    token("CY-1")
    changed()
    update = answer(station, status="Accepted")
    answer(station, listVersion=2)

    assert (update.payload["listVersion"], sent(update)) == (2, ("Differential", ["-BO-0", "CY-1"]))
    assert of(station).state == "in_step"


def test_many_changes_are_one_update(station: ChargingStation) -> None:
    token("CY-1")
    brought_in_step(station)

    for number in range(5):
        token(f"BO-{number}")
    changed()

    assert len(sent(answer(station, status="Accepted"))[1]) == 5


def test_a_long_list_goes_in_parts_of_which_the_first_is_whole(station: ChargingStation) -> None:
    for number in range(5):
        token(f"BO-{number}")
    on(station, SendLocalListMaxLength="2")
    answer(station, listVersion=0)

    parts = [answer(station, status="Accepted") for _ in range(3)]
    answer(station, listVersion=3)

    assert [sent(part) for part in parts] == [
        ("Full", ["BO-0", "BO-1"]),
        ("Differential", ["BO-2", "BO-3"]),
        ("Differential", ["BO-4"]),
    ]
    assert [part.payload["listVersion"] for part in parts] == [1, 2, 3]
    assert of(station).state == "in_step"


def test_a_list_that_is_switched_off_is_emptied(station: ChargingStation) -> None:
    token("BO-1")
    brought_in_step(station)

    local_list.switch(station, mode="off")
    changed()
    update = answer(station, status="Accepted")
    answer(station, listVersion=0)  # an empty list may be told as 0 (section 5.10)

    assert sent(update) == ("Full", [])
    assert of(station).state == "off"


def test_a_station_that_never_had_a_list_of_ours_is_not_touched_when_it_shall_have_none(
    station: ChargingStation,
) -> None:
    local_list.switch(station, mode="off")
    changed()

    assert not Command.objects.exists()


@pytest.mark.parametrize("fact", ["online_changed_at", "last_boot_at"])
def test_the_version_is_asked_after_a_connection_and_a_boot(station: ChargingStation, fact: str) -> None:
    token("BO-1")
    brought_in_step(station)
    assert local_list.sweep() == 0

    ChargingStation.objects.update(**{fact: clock.now()})
    local_list.sweep()

    assert answer(station, listVersion=1).action == "GetLocalListVersion"
    assert of(station).state == "in_step"
    assert local_list.sweep() == 0


def test_a_list_that_drifted_is_repaired_by_the_whole(station: ChargingStation) -> None:
    token("BO-1")
    brought_in_step(station)
    ChargingStation.objects.update(last_boot_at=clock.now())
    local_list.sweep()

    answer(station, listVersion=0)  # it lost its list
    update = answer(station, status="Accepted")
    answer(station, listVersion=update.payload["listVersion"])

    assert sent(update)[0] == "Full"
    assert (of(station).state, of(station).tries) == ("in_step", 0)


def test_a_station_that_forgets_again_and_again_is_work_for_an_operator(station: ChargingStation) -> None:
    token("BO-1")
    brought_in_step(station)
    ChargingStation.objects.update(last_boot_at=clock.now())
    local_list.sweep()
    for _ in range(3):
        answer(station, listVersion=0)
        if of(station).state == "failed":
            changed()
        answer(station, status="Accepted")
    answer(station, listVersion=0)

    assert ReviewItem.objects.get().kind == "local_list"
    changed()
    answer(station, status="Accepted")
    answer(station, listVersion=of(station).version)
    assert of(station).state == "in_step"
    assert ReviewItem.objects.get().resolved_at is not None


# --- what stations say instead of Accepted


@pytest.mark.parametrize("status", ["Failed", "VersionMismatch"])
def test_a_difference_that_is_refused_is_followed_by_the_whole(station: ChargingStation, status: str) -> None:
    token("BO-1")
    token("BO-2")
    brought_in_step(station)
    token("BO-1", status="Blocked")
    token("BO-2", group_id="FLEET")
    token("CY-1")
    token("CY-2")
    token("CY-3")
    token("CY-3", status="Blocked")
    LocalListContent.objects.filter(size=2).update(
        entries=[["BO-2", "RFID", "", "FLEET"], ["CY-1", "RFID", "", ""]]
    )
    changed()

    answer(station, status=status)
    if status == "VersionMismatch":
        assert answer(station, listVersion=7).action == "GetLocalListVersion"
    update = answer(station, status="Accepted")

    assert sent(update)[0] == "Full"
    assert update.payload["listVersion"] == (8 if status == "VersionMismatch" else 3)


def test_a_whole_list_that_is_refused_is_tried_later_in_smaller_parts(station: ChargingStation) -> None:
    for number in range(4):
        token(f"BO-{number}")
    on(station, SendLocalListMaxLength="4")
    answer(station, listVersion=0)
    sizes = []
    for _ in range(3):
        sizes.append(len(sent(answer(station, status="Failed"))[1]))
        assert local_list.sweep() == 0  # it is left alone for a while
        changed()

    assert sizes == [4, 4, 2]
    assert ReviewItem.objects.get().kind == "local_list"
    assert of(station).problem == "it answered Failed"


@pytest.mark.parametrize("result", [{"listVersion": -1}, None])
def test_a_station_without_lists_is_left_alone(station: ChargingStation, result: Any) -> None:
    on(station)

    if result:
        answer(station, **result)
    else:
        command = commands.claim(station.pk, epoch=1)
        assert command is not None
        commands.failed(command.uid, station_id=station.pk, code="NotImplemented", description="")

    assert of(station).state == "unsupported"
    ChargingStation.objects.update(last_boot_at=clock.now())
    assert local_list.sweep() == 0


def test_a_station_that_takes_no_update_is_left_alone_until_somebody_sends_one(
    station: ChargingStation,
) -> None:
    on(station)
    answer(station, listVersion=0) if of(station).state == "asking" else None
    token("BO-1")
    changed()
    answer(station, status="NotSupported")
    assert of(station).state == "unsupported"

    local_list.send_whole(station)
    local_list.sweep()

    assert of(station).state == "asking"


def test_a_list_that_is_not_wanted_cannot_be_sent(station: ChargingStation) -> None:
    with pytest.raises(NoLocalList):
        local_list.send_whole(station)


# --- silence


def unanswered(station: ChargingStation) -> Command:
    command = commands.claim(station.pk, epoch=1)
    assert command is not None
    commands.timed_out(command.uid, station_id=station.pk, reason="silence")
    return command


def test_an_update_without_an_answer_is_proved_by_the_version(station: ChargingStation) -> None:
    for number in range(3):
        token(f"BO-{number}")
    on(station, SendLocalListMaxLength="2")
    answer(station, listVersion=0)
    unanswered(station)
    assert of(station).state == "failed"

    changed()
    answer(station, listVersion=1)  # it had taken the first part
    update = answer(station, status="Accepted")
    answer(station, listVersion=2)

    assert sent(update) == ("Differential", ["BO-2"])
    assert of(station).state == "in_step"


def test_an_update_that_did_not_arrive_is_sent_again(station: ChargingStation) -> None:
    token("BO-1")
    on(station)
    answer(station, listVersion=0)
    unanswered(station)
    changed()

    answer(station, listVersion=0)

    assert sent(answer(station, status="Accepted")) == ("Full", ["BO-1"])


def test_a_late_answer_counts(station: ChargingStation) -> None:
    token("BO-1")
    on(station)
    answer(station, listVersion=0)
    late = unanswered(station)

    commands.answered(late.uid, station_id=station.pk, result={"status": "Accepted"})
    answer(station, listVersion=1)

    assert of(station).state == "in_step"


def test_an_update_that_was_never_sent_is_no_failure_of_the_station(station: ChargingStation) -> None:
    on(station)
    Command.objects.filter(action="GetLocalListVersion").update(expires_at=clock.now())

    commands.expire()

    assert (of(station).state, of(station).tries) == ("failed", 0)


def test_what_somebody_sends_by_hand_is_found_and_repaired(station: ChargingStation) -> None:
    token("BO-1")
    brought_in_step(station)
    payload = {"listVersion": 9, "updateType": "Full", "localAuthorizationList": []}
    commands.queue(station, action="SendLocalList", payload=payload)
    answer(station, status="Accepted")

    local_list.sweep()
    answer(station, listVersion=9)

    assert sent(answer(station, status="Accepted")) == ("Full", ["BO-1"])


def test_a_forgotten_request_is_taken_up_again(station: ChargingStation) -> None:
    on(station)
    Command.objects.all().delete()
    LocalList.objects.update(changed_at=clock.now() - timedelta(hours=1))

    local_list.sweep()

    assert Command.objects.filter(action="GetLocalListVersion").count() == 1


def test_a_station_that_is_away_waits(station: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)

    on(station)

    assert not Command.objects.exists()
    assert of(station).state == "stale"


# --- limits and switches of stations


def test_a_station_is_asked_for_its_limits_first(station: ChargingStation) -> None:
    local_list.switch(station, mode="on")
    changed()

    command = answer(
        station,
        configurationKey=[
            {"key": "LocalAuthListEnabled", "readonly": False, "value": "true"},
            {"key": "LocalAuthListMaxLength", "readonly": True, "value": "7"},
        ],
        unknownKey=["SendLocalListMaxLength"],
    )
    changed()
    changed()

    assert command.action == "GetConfiguration"
    assert (of(station).max_entries, of(station).state) == (7, "asking")


def test_a_station_that_does_not_tell_its_limits_gets_its_list_all_the_same(station: ChargingStation) -> None:
    local_list.switch(station, mode="on")
    changed()
    unanswered(station)
    changed()

    assert of(station).state == "asking"


def test_a_list_that_is_disabled_is_enabled_first(station: ChargingStation) -> None:
    on(station, LocalAuthListEnabled="false")

    command = answer(station, status="Accepted")
    Variable.objects.filter(name="LocalAuthListEnabled").update(value="true")
    changed()
    changed()

    assert command.payload == {"key": "LocalAuthListEnabled", "value": "true"}
    assert of(station).state == "asking"


def test_no_more_than_some_stations_are_spoken_to_at_once(
    station: ChargingStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_list, "AT_ONCE", 1)
    on(station)
    other = factories.station("BEA", is_online=True, epoch=1, ocpp_version="1.6")
    on(other)

    assert [of(station).state, of(other).state] == ["asking", "stale"]
