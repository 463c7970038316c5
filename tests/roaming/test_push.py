"""The outbox towards partners: what they get, once, in order, whatever they do (FIELD-NOTES 4, SECURITY O22)."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.models import Cdr
from billing.services import cdrs, tariffs
from cpo.lib import clock
from roaming import marks, push
from roaming.models import Connection, Exchange, Push
from stations.models import ChargingStation, Connector, Location, ReviewItem
from stations.services import corrections, locations, provisioning, sessions
from tests import factories
from tests.emsp import wait_for
from tests.roaming.platform import bill, connection_of, drive, network, register, send

pytestmark = pytest.mark.django_db


def states(module: str) -> list[str]:
    return list(Push.objects.filter(module=module).order_by("pk").values_list("state", flat=True))


def test_a_registered_partner_is_told_locations_and_tariffs(partner):
    charger = network(connectors=2)

    send(partner)

    location = partner.books.locations[charger.location.uid]
    assert [evse["status"] for evse in location["evses"]] == ["AVAILABLE", "AVAILABLE"]
    assert location["evses"][0]["connectors"][0]["tariff_ids"] == list(partner.books.tariffs)
    assert location["coordinates"] == {"latitude": "52.370216", "longitude": "-4.895168"}
    assert partner.violations == []


def test_a_session_and_its_cdr_reach_the_partner_with_the_metered_numbers(partner):
    charger = network()
    session = drive(charger, ended=True)
    cdr = bill(session)

    send(partner)

    told = partner.books.cdrs[cdr.uid]
    assert told["total_energy"] == Decimal("12.3455")
    assert told["total_cost"] == {"excl_vat": Decimal("3.0865"), "incl_vat": Decimal("3.7347")}
    assert told["session_id"] == session.uid
    assert told["cdr_token"]["uid"] == "EMP-1"
    assert partner.books.sessions[session.uid]["status"] == "COMPLETED"
    assert partner.books.sessions[session.uid]["kwh"] == Decimal("12.3455")
    assert partner.violations == []


def test_a_cdr_is_pushed_once_and_its_location_header_is_kept(partner):
    cdr = bill(drive(network(), ended=True))

    send(partner)
    send(partner)

    row = Push.objects.get(module="cdrs")
    assert partner.deliveries == {cdr.uid: 1}
    assert (row.state, row.remote_url.rpartition("/")[2]) == ("acked", cdr.uid)


def test_a_credit_cdr_negates_the_total_and_names_its_cdr(partner):
    cdr = bill(drive(network(), ended=True))
    credit = cdrs.credit(cdr, reason="complaint", by="ada")

    send(partner)

    told = partner.books.cdrs[credit.uid]
    assert told["credit"] is True
    assert told["credit_reference_id"] == cdr.uid
    assert told["total_cost"]["excl_vat"] == -partner.books.cdrs[cdr.uid]["total_cost"]["excl_vat"]
    assert partner.violations == []


def test_a_status_change_is_a_patch_of_the_evse_alone(partner):
    charger = network()
    send(partner)
    seen = len(partner.requests)
    _status(charger, "Charging")

    send(partner)

    assert [(s.method, s.module) for s in partner.requests[seen:]] == [("PATCH", "locations")]
    location = partner.books.locations[charger.location.uid]
    assert location["evses"][0]["status"] == "CHARGING"


def test_statuses_that_mean_the_same_to_partners_are_not_sent_again(partner):
    charger = network()
    _status(charger, "Preparing")
    send(partner)
    _status(charger, "Charging")
    send(partner)
    seen = len(partner.requests)

    _status(charger, "SuspendedEV")
    send(partner)

    assert len(partner.requests) == seen
    assert set(states("locations")) == {"acked"}


def test_a_station_that_goes_offline_becomes_unknown_at_the_partner(partner):
    charger = network()
    send(partner)
    ChargingStation.objects.filter(pk=charger.pk).update(is_online=False, online_changed_at=clock.now())

    send(partner)

    assert partner.books.locations[charger.location.uid]["evses"][0]["status"] == "UNKNOWN"


def test_a_touched_location_that_says_the_same_is_not_sent_again(partner):
    charger = network()
    send(partner)
    seen = len(partner.requests)

    locations.touch(charger.location)
    send(partner)

    assert len(partner.requests) == seen


def test_many_changes_before_a_push_become_one_with_the_latest_state(partner):
    charger = network()
    send(partner)
    seen = len(partner.requests)
    for status in ("Charging", "Available", "Faulted"):
        _status(charger, status)
        marks.evses([charger.evses.get().pk])

    send(partner)

    assert len(partner.requests) == seen + 1
    assert partner.books.locations[charger.location.uid]["evses"][0]["status"] == "OUTOFORDER"


def test_a_status_that_a_whole_location_carried_is_taken_back(partner):
    charger = network()
    _status(charger, "Charging")
    send(partner)
    _status(charger, "Available")
    send(partner)
    _status(charger, "Charging")
    locations.save_location(charger.location.uid, name="Renamed")
    send(partner)

    _status(charger, "Available")
    send(partner)

    assert partner.books.locations[charger.location.uid]["evses"][0]["status"] == "AVAILABLE"


def test_a_patch_for_a_location_that_the_partner_lost_makes_it_put_again(partner):
    charger = network()
    send(partner)
    _status(charger, "Charging")
    send(partner)
    partner.books.locations.clear()
    _status(charger, "Available")

    send(partner)
    _make_due()
    send(partner)

    assert partner.books.locations[charger.location.uid]["evses"][0]["status"] == "AVAILABLE"
    assert set(states("locations")) == {"acked"}


def test_an_evse_that_is_added_later_reaches_the_partner_whole(partner):
    charger = network()
    send(partner)

    provisioning.ensure_connector(charger, number=2)
    send(partner)

    assert len(partner.books.locations[charger.location.uid]["evses"]) == 2
    assert set(states("locations")) == {"acked"}


def test_a_station_that_moves_leaves_one_location_and_joins_the_other(partner):
    charger, other = network(), network()
    send(partner)

    provisioning.upsert_station(charger.identity, location=other.location)
    send(partner)

    told = partner.books.locations
    assert told[charger.location.uid].get("evses", []) == []
    assert len(told[other.location.uid]["evses"]) == 2


def test_a_location_that_is_unpublished_is_hidden_at_the_partner(partner):
    charger = network()
    send(partner)
    locations.save_location(charger.location.uid, publish=False)

    send(partner)

    assert partner.books.locations[charger.location.uid]["publish"] is False
    assert partner.books.tariffs == {}


def test_an_unpublished_location_is_never_told(partner):
    charger = network(publish=False)
    _status(charger, "Charging")

    send(partner)

    assert partner.books.locations == {}
    assert partner.books.tariffs == {}


def test_a_withdrawn_tariff_is_deleted_at_the_partner_and_comes_back_when_assigned(partner):
    charger = network()
    send(partner)
    tariff = charger.location.tariff_assignments.get().tariff
    tariffs.withdraw(tariff)
    send(partner)
    assert partner.books.tariffs == {}

    tariffs.assign(tariffs.save(factories.tariff_data(uid=tariff.uid)), location=charger.location)
    send(partner)

    assert list(partner.books.tariffs) == [tariff.uid]


def test_a_running_session_is_pushed_at_most_every_half_minute_but_its_end_at_once(partner, settings):
    charger = network()
    session = drive(charger)
    send(partner)
    for energy in (1000, 2000):
        session.energy_wh = energy
        session.last_updated = clock.now()
        session.save()
        send(partner)
    assert partner.books.sessions[session.uid]["kwh"] == 0
    assert Push.objects.get(module="sessions").next_try_at > clock.now() + timedelta(seconds=20)

    sessions.close(session, reason="Local", by="ada")
    send(partner)

    assert partner.books.sessions[session.uid]["status"] == "COMPLETED"


def test_a_session_says_what_it_costs_so_far(partner):
    session = drive(network(), started_at=clock.now() - timedelta(minutes=31))
    session.energy_wh = Decimal("6000")
    session.save()

    send(partner)

    told = partner.books.sessions[session.uid]
    assert told["kwh"] == 6
    assert told["total_cost"] == {"excl_vat": Decimal("1.5"), "incl_vat": Decimal("1.815")}
    assert told["status"] == "ACTIVE"


@pytest.mark.parametrize("fault", ["500", "429", "garbage", "html", "3000", "drop", "hang"])
def test_attack_o22_a_partner_in_trouble_gets_every_cdr_once_when_he_recovers(partner, fault, settings):
    settings.OCPI_TIMEOUT_S = 1
    cdr = bill(drive(network(), ended=True))
    partner.fault = fault
    send(partner)
    assert partner.deliveries == {}
    assert set(states("cdrs")) <= {"failed", "due"}

    partner.fault = ""
    _make_due()
    send(partner)

    assert partner.deliveries == {cdr.uid: 1}
    assert states("cdrs") == ["acked"]


def test_attack_o22_failures_open_the_circuit_and_are_tried_ever_later(partner):
    for _ in range(6):
        network()
    partner.fault = "500"
    send(partner)

    connection = connection_of(partner)
    assert connection.failures >= 3
    assert connection.retry_at > clock.now()
    assert connection.last_error.startswith("HTTP 500")
    asked = len(partner.requests)
    assert push.deliver(connection.pk) is False
    assert len(partner.requests) == asked


def test_a_half_open_circuit_asks_once(partner):
    for _ in range(6):
        network()
    partner.fault = "500"
    send(partner)
    _make_due()
    Connection.objects.update(retry_at=clock.now())
    asked = len(partner.requests)

    push.deliver(connection_of(partner).pk)

    assert len(partner.requests) == asked + 1


def test_retry_after_is_honoured(partner):
    network()
    partner.fault = "429"

    send(partner)

    row = Push.objects.filter(state="failed").first()
    assert timedelta(0) < row.next_try_at - clock.now() <= timedelta(seconds=1)
    assert connection_of(partner).retry_at is not None


def test_attack_o22_one_bad_partner_costs_the_others_nothing(partner, platform, partners, settings):
    settings.OCPI_TIMEOUT_S = 2
    good = register(platform, partners("XYZ"))
    charger = network()
    partner.fault = "hang"
    bad, well = connection_of(partner), connection_of(good)
    marks.locations()
    marks.tariffs()
    stuck = threading.Thread(target=_deliver, args=[bad.pk])
    stuck.start()
    wait_for(lambda: any(s.verdict == "hang" for s in partner.requests))

    push.deliver(well.pk)

    assert stuck.is_alive()
    assert charger.location.uid in good.books.locations
    stuck.join()


def test_an_object_that_is_refused_waits_for_a_human_and_stops_nothing(partner):
    first, second = network(), network()
    partner.fault = lambda seen: "2001" if first.location.uid in seen.path else ""

    send(partner)

    assert second.location.uid in partner.books.locations
    row = Push.objects.get(object_key=first.location.uid)
    assert (row.state, row.last_code) == ("dead", 2001)
    assert ReviewItem.objects.filter(kind="partner_refused", summary__contains=row.object_key).exists()


def test_a_refused_object_is_sent_again_when_it_changes(partner):
    charger = network()
    partner.fault = lambda seen: "2001" if "locations" in seen.path else ""
    send(partner)
    partner.fault = ""

    locations.touch(charger.location)
    send(partner)

    assert charger.location.uid in partner.books.locations


def test_a_refused_cdr_is_kept_and_sent_when_an_operator_says_so(partner):
    cdr = bill(drive(network(), ended=True))
    partner.fault = lambda seen: "2001" if seen.module == "cdrs" else ""
    send(partner)
    assert states("cdrs") == ["dead"]

    partner.fault = ""
    push.retry(Push.objects.get(module="cdrs"))
    send(partner)

    assert partner.deliveries == {cdr.uid: 1}


def test_attack_o20_a_cdr_that_exists_already_counts_as_delivered(partner, monkeypatch):
    bill(drive(network(), ended=True))
    monkeypatch.setattr(partner, "_take_cdrs", lambda seen, rest: (200, 2001, "CDR already exists", {}))

    send(partner)

    assert states("cdrs") == ["acked"]


def test_a_cdr_whose_answer_was_lost_is_sent_again_byte_for_byte(partner):
    cdr = bill(drive(network(), ended=True))
    partner.fault = lambda seen: "slow" if seen.module == "cdrs" else ""
    connection = connection_of(partner)
    send(partner)
    Push.objects.filter(module="cdrs").update(state="failed", acked_version=0, next_try_at=clock.now())

    push.deliver(connection.pk)

    assert partner.deliveries == {cdr.uid: 2}
    assert partner.violations == []
    bodies = Exchange.objects.filter(module="cdrs").values_list("request_body", flat=True)
    assert len(set(bodies)) == 1


def test_refused_tokens_suspend_the_connection_and_tell_an_operator(partner):
    network()
    send(partner)
    connection = connection_of(partner)
    partner.fault = "auth-fail"
    for number in range(5):
        locations.save_location(Location.objects.get().uid, name=f"Depot {number}")
        marks.locations()
        _make_due()
        Connection.objects.update(retry_at=None)
        push.deliver(connection.pk)

    connection.refresh_from_db()
    assert connection.suspended_at is not None
    assert ReviewItem.objects.filter(summary__contains="register again").exists()
    assert connection.pk not in push.with_work()


def test_a_token_that_is_replaced_during_a_push_costs_nothing(partner):
    charger = network()
    connection = connection_of(partner)
    marks.locations()

    def replaced(seen):
        if seen.method != "PUT" or len(refused) > 0:
            return ""
        refused.append(seen)
        fresh = connection_of(partner)
        fresh.token_we_send_them = "fresh-token"
        fresh.save(update_fields=["token_out"])
        partner.token_in = {"fresh-token"}
        return "auth-fail"

    refused: list[object] = []
    partner.fault = replaced
    push.deliver(connection.pk)

    assert charger.location.uid in partner.books.locations
    assert connection_of(partner).refusals == 0


def test_rows_of_a_killed_worker_come_back_after_their_lease(partner):
    charger = network()
    connection = connection_of(partner)
    marks.locations()
    push._claim(connection, limit=10)
    assert push.deliver(connection.pk) is False

    Push.objects.update(lease_until=clock.now())
    push.deliver(connection.pk)

    assert charger.location.uid in partner.books.locations


def test_a_change_during_a_push_makes_the_row_due_again(partner):
    charger = network()
    connection = connection_of(partner)

    def change_meanwhile(seen):
        if seen.method == "PUT" and charger.location.uid in seen.path and not moved:
            moved.append(True)
            Location.objects.filter(pk=charger.location_id).update(name="Renamed", last_updated=clock.now())
            marks.locations()
        return ""

    moved: list[bool] = []
    partner.fault = change_meanwhile
    marks.locations()
    push.deliver(connection.pk)

    assert partner.books.locations[charger.location.uid]["name"] == "Renamed"
    assert Push.objects.get(object_key=charger.location.uid).state == "acked"


def test_two_senders_of_one_connection_do_not_meet(partner):
    network()
    connection = connection_of(partner)
    marks.locations()
    partner.fault = "slow"
    first = threading.Thread(target=_deliver, args=[connection.pk])
    first.start()
    wait_for(lambda: any(s.method == "PUT" for s in partner.requests))

    assert push.deliver(connection.pk) is False

    first.join()
    assert sum(seen.method == "PUT" for seen in partner.requests) == 1


def test_a_paused_partner_is_told_nothing_until_it_goes_on(partner):
    charger = network()
    connection = connection_of(partner)
    Connection.objects.update(is_paused=True)
    send(partner)
    assert partner.books.locations == {}

    Connection.objects.update(is_paused=False)
    push.deliver(connection.pk)

    assert charger.location.uid in partner.books.locations


def test_after_a_new_registration_everything_open_is_told(partner, platform):
    cdr = bill(drive(network(), ended=True))
    send(partner)
    partner.unregister()
    partner.books.locations.clear()
    other = bill(drive(network(), ended=True, uid="EMP-2"))

    register(platform, partner)
    push.synchronise(connection_of(partner))
    push.deliver(connection_of(partner).pk)

    assert len(partner.books.locations) == 2
    assert partner.deliveries == {cdr.uid: 1, other.uid: 1}


def test_resynchronising_tells_a_partner_everything_again(partner):
    network()
    send(partner)
    partner.books.locations.clear()
    partner.books.tariffs.clear()

    push.resynchronise(connection_of(partner))
    push.deliver(connection_of(partner).pk)

    assert len(partner.books.locations) == len(partner.books.tariffs) == 1


def test_a_sweep_finds_what_no_nudge_brought(partner):
    charger = network()
    session = drive(charger, ended=True)
    cdr = bill(session)
    assert not Push.objects.exists()

    send(partner)

    assert charger.location.uid in partner.books.locations
    assert session.uid in partner.books.sessions
    assert cdr.uid in partner.books.cdrs


def test_marking_twice_changes_nothing(partner):
    charger = network()
    marks.locations()
    marks.evses()
    rows = list(Push.objects.order_by("pk").values())

    assert marks.locations([charger.location_id]) == set()
    assert marks.evses() == set()

    assert list(Push.objects.order_by("pk").values()) == rows


def test_every_exchange_is_kept_without_the_token(partner):
    network()
    send(partner)
    connection = connection_of(partner)
    token = connection.token_we_send_them

    kept = Exchange.objects.filter(connection=connection, direction="out", module="locations").last()

    assert kept.is_ok
    assert kept.http_status == 201
    assert kept.request_id
    for exchange in Exchange.objects.all():
        text = f"{exchange.request_headers}{exchange.request_body}{exchange.response_body}"
        assert token not in text
        assert partner.token_out not in text


def _status(charger: ChargingStation, status: str) -> None:
    now = clock.now()
    Connector.objects.filter(evse__station=charger).update(status=status, last_updated=now)
    charger.evses.update(last_updated=now)


def _make_due() -> None:
    """Let the waiting time of all rows and connections pass."""
    Push.objects.filter(state__in=["due", "failed"]).update(next_try_at=clock.now())
    Connection.objects.update(retry_at=None)


def _deliver(connection_id: int) -> None:
    from django.db import connection

    push.deliver(connection_id)
    connection.close()


def corrected(charger: ChargingStation) -> tuple[Cdr, Cdr, Cdr]:
    """Bill a session of the partner's driver, correct it, and bill it anew: the CDR, its credit, the new one."""
    session = drive(charger, ended=True)
    cdrs.bill([session.pk])
    corrections.correct(session, energy_wh=Decimal(9000), reason="the meter was read on site", by="user:ada")
    cdrs.bill([session.pk])
    first, credit, new = Cdr.objects.order_by("pk")
    return first, credit, new


def test_a_correction_reaches_the_partner_as_a_credit_and_then_a_new_cdr(partner):
    first, credit, new = corrected(network())
    marks.cdrs([new.pk])

    send(partner)

    assert list(partner.books.cdrs) == [first.uid, credit.uid, new.uid]
    assert "credit" not in partner.books.cdrs[new.uid]
    assert partner.books.cdrs[new.uid]["total_energy"] == 9
    assert partner.violations == []


def test_a_new_cdr_waits_until_the_partner_has_taken_its_predecessors_credit(partner):
    first, credit, new = corrected(network())
    partner.fault = lambda seen: "500" if seen.module == "cdrs" and partner.books.cdrs else ""
    send(partner)
    assert list(partner.books.cdrs) == [first.uid]

    partner.fault = ""
    _make_due()
    send(partner)

    assert list(partner.books.cdrs) == [first.uid, credit.uid, new.uid]
