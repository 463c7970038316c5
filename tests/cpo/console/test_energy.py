"""The tab of what OCPP 2.1 adds, on a station's page."""

from decimal import Decimal

import pytest
from django.test import Client

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import (
    BatterySwap,
    BidirectionalSession,
    ChargingStation,
    Command,
    GridSignal,
    SessionCost,
    StationTariff,
)
from stations.services import battery_swap, der_alarms, der_control, payments
from tests import factories

TAB = "/stations/ADA-1/?tab=energy"
CURVE = {"curveData": [{"x": 90, "y": 44}], "yUnit": "PctMaxVar"}


@pytest.fixture
def station(db: None) -> ChargingStation:
    factories.token("BO-1")
    return factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="2.1")


def page(client: Client) -> str:
    return client.get(TAB).content.decode()


def test_an_empty_tab_says_what_to_do(ada: Client, station: ChargingStation) -> None:
    assert "No controls are known" in page(ada)


def test_it_shows_controls_alarms_swaps_and_payments(ada: Client, station: ChargingStation) -> None:
    der_control.put(station, type="VoltVar", is_default=True, priority=1, settings=CURVE)
    der_alarms.raised(station, type="VoltWatt", fault="OverVoltage", at=clock.now())
    battery = {"serial_number": "E-77", "slot": 1, "charge_percent": 20, "health_percent": 90}
    battery_swap.inserted(station, 1, id_token="BO-1", id_token_type="ISO14443", batteries=[battery])
    payments.settled(station, "psp-42", status="Settled", amount=Decimal("12.34"), at=clock.now())

    shown = page(ada)
    assert [word for word in ("VoltVar", "OverVoltage", "E-77", "psp-42", "12.34") if word not in shown] == []


def test_a_swap_is_asked_for(ada: Client, station: ChargingStation) -> None:
    ada.post("/stations/ADA-1/energy/swap/", {"id_token": "BO-1"})

    assert BatterySwap.objects.get().requested_by == "user:ada"
    assert AuditEvent.objects.filter(object_id="ADA-1").exists()


def test_who_may_not_swap_is_told_so(ada: Client, station: ChargingStation) -> None:
    answer = ada.post("/stations/ADA-1/energy/swap/", {"id_token": "NOBODY"}, follow=True)

    assert "may not swap here" in answer.content.decode()
    assert BatterySwap.objects.count() == 0


def test_a_grid_signal_is_sent(ada: Client, station: ChargingStation) -> None:
    ada.post("/stations/ADA-1/energy/signal/", {"signal": "-7"})

    assert GridSignal.objects.get().signal == -7


def test_our_tariffs_are_sent(ada: Client, station: ChargingStation) -> None:
    factories.tariff(at=station.location)
    ada.post("/stations/ADA-1/energy/tariffs/")

    assert StationTariff.objects.get().tariff_id == "AC/1"


def test_without_a_tariff_there_is_nothing_to_send(ada: Client, station: ChargingStation) -> None:
    answer = ada.post("/stations/ADA-1/energy/tariffs/", follow=True)

    assert "no tariff is assigned" in answer.content.decode()


def test_the_station_is_asked_what_lies_there(ada: Client, station: ChargingStation) -> None:
    ada.post("/stations/ADA-1/energy/ask/")

    assert set(Command.objects.values_list("action", flat=True)) == {"GetDERControl", "GetTariffs"}


def test_a_session_shows_what_was_fed_back_apart_from_what_was_charged(
    ada: Client, station: ChargingStation
) -> None:
    session = factories.session(station, ended=True)
    now = clock.now()
    BidirectionalSession.objects.create(
        session=session, operation_mode="CentralSetpoint", exported_wh=Decimal(1500), changed_at=now
    )
    SessionCost.objects.create(session=session, before_taxes=Decimal("0.75"), currency="EUR", changed_at=now)

    shown = ada.get(f"/sessions/{session.uid}/").content.decode()
    told = ("1.500 kWh back", "CentralSetpoint", "calculated €0.75", "12.3455 kWh")
    assert [word for word in told if word not in shown] == []
