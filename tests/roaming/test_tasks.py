"""Tasks and sweeps, with a real Celery worker behind them (RELIABILITY 4.2)."""

import time
from datetime import timedelta

import pytest

from cpo.lib import clock
from roaming import push, registration, tasks
from roaming.models import Connection, Exchange, Push
from stations.models import ChargingStation, IdToken
from tests.emsp import Partner, wait_for
from tests.roaming.platform import bill, connection_of, drive, network

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("celery_worker_process")]


def is_quiet() -> bool:
    """Tell whether everything that is marked has been acknowledged."""
    return Push.objects.exists() and not Push.objects.exclude(state="acked").exists()


def wait_for_silence(partner: Partner) -> None:
    """Wait until the partner has heard nothing for a while: what was under way has arrived."""
    heard, since = len(partner.requests), time.monotonic()
    while time.monotonic() - since < 0.5:
        if len(partner.requests) != heard:
            heard, since = len(partner.requests), time.monotonic()
        time.sleep(0.05)


def test_nudged_tasks_mark_and_send(partner):
    charger = network()
    session = drive(charger, ended=True)
    cdr = bill(session)

    tasks.mark_locations([charger.location_id])
    tasks.mark_tariffs([1])
    tasks.mark_running_sessions([session.pk])
    tasks.mark_cdrs([cdr.pk])

    wait_for(lambda: partner.deliveries == {cdr.uid: 1})
    wait_for(lambda: session.uid in partner.books.sessions and len(partner.books.tariffs) == 1)
    wait_for(lambda: charger.location.uid in partner.books.locations)


def test_a_station_that_goes_is_told(partner):
    charger = network()
    tasks.mark_stations([charger.pk])
    wait_for(lambda: charger.location.uid in partner.books.locations and is_quiet())
    ChargingStation.objects.update(is_online=False, online_changed_at=clock.now())

    tasks.mark_stations([charger.pk])

    wait_for(lambda: partner.books.locations[charger.location.uid]["evses"][0]["status"] == "UNKNOWN")


def test_the_sweeps_do_all_of_it_without_any_nudge(partner):
    cdr = bill(drive(network(), ended=True))
    partner.drivers["EMP-7"] = {
        "country_code": "NL", "party_id": "ABC", "uid": "EMP-7", "type": "RFID", "contract_id": "c", "issuer": "i",
        "valid": True, "whitelist": "ALWAYS", "last_updated": "2025-01-01T00:00:00Z",
    }  # fmt: skip

    tasks.sweep_marks()
    tasks.sweep_pushes()

    wait_for(lambda: partner.deliveries == {cdr.uid: 1} and is_quiet())
    wait_for(lambda: IdToken.objects.filter(uid="EMP-7").exists())


def test_sweeps_without_news_send_and_change_nothing(partner):
    bill(drive(network(), ended=True))
    tasks.sweep_marks()
    wait_for(lambda: is_quiet() and connection_of(partner).tokens_pulled_at)
    wait_for_silence(partner)
    rows, asked = list(Push.objects.order_by("pk").values()), len(partner.requests)

    tasks.sweep_marks()

    assert push.with_work() == []
    assert list(Push.objects.order_by("pk").values()) == rows
    assert len(partner.requests) == asked


def test_tokens_are_pulled_again_when_their_time_has_come(partner, settings):
    tasks.sweep_marks()
    pulled = wait_for(lambda: connection_of(partner).tokens_pulled_at)
    Connection.objects.update(tokens_tried_at=clock.now() - timedelta(seconds=settings.OCPI_TOKEN_PULL_S + 1))

    tasks.sweep_marks()

    wait_for(lambda: connection_of(partner).tokens_pulled_at > pulled)


def test_old_exchanges_are_forgotten(partner, settings):
    old = clock.now() - timedelta(days=settings.OCPI_EXCHANGE_RETENTION_DAYS + 1)
    first = Exchange.objects.earliest("pk")
    Exchange.objects.filter(pk=first.pk).update(at=old)

    tasks.sweep_marks()

    assert not Exchange.objects.filter(pk=first.pk).exists()
    assert Exchange.objects.exists()


def test_a_pause_and_its_end_by_an_operator(partner):
    charger = network()
    connection = connection_of(partner)
    registration.pause(connection)
    tasks.sweep_marks()
    assert push.deliver(connection.pk) is False
    assert partner.books.locations == {}

    registration.resume(connection)

    wait_for(lambda: charger.location.uid in partner.books.locations)


def test_a_registration_brings_everything_by_itself(partner):
    charger = network()

    tasks.synchronise([connection_of(partner).pk])

    wait_for(lambda: charger.location.uid in partner.books.locations and is_quiet())
    wait_for(lambda: connection_of(partner).tokens_pulled_at)
