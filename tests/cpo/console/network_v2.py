"""A 2.1 station with one row of everything that its tabs can show beyond those of 1.6."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

from cpo.lib import clock
from stations.models import ChargingStation, Location, NetworkProfile, ProfileReport
from stations.services import (
    battery_swap,
    charging_limits,
    charging_needs,
    der_alarms,
    der_control,
    device_model,
    event_streams,
    limits,
    monitoring,
    payments,
    variable_keys,
)
from stations.services.device_model import Told
from stations.services.ingest import DeviceEventRow
from stations.services.monitoring import Known
from tests import factories

PLACE = variable_keys.parse("Connector{1,1}/Temperature")
SOURCE = variable_keys.parse("ClockCtrlr/TimeSource")
POWER = variable_keys.parse("EVSE{2}/Power")
CURVE = {"curveData": [{"x": 90, "y": 44}], "yUnit": "PctMaxVar"}
BATTERY = {"serial_number": "E-77", "slot": 1, "charge_percent": 20, "health_percent": 90}


def build(site: Location | None = None, hostile: str = "") -> SimpleNamespace:
    """Make the station and its rows; `hostile` stands wherever a station says a text of its own."""
    now = clock.now()
    station = factories.station(
        "BEO-1", connectors=2, location=site, is_online=True, epoch=2, ocpp_version="2.1", last_seen_at=now
    )
    factories.session(station, status="active", transaction_id="tx-1", ended_at=None)
    _variables(station.pk, hostile)
    monitoring.were_set(station.pk, [Known(PLACE, 7, "UpperThreshold", Decimal(80), 2, False)])
    monitoring.happened(station.pk, [_event(station.pk, hostile)])
    NetworkProfile.objects.create(
        station=station, slot=1, url=f"wss://a.example/{hostile}", security_profile=2, interface="Wired0",
        state="failed", reason=hostile[:255] or "no room", told_at=now,
    )  # fmt: skip
    der_control.put(station, type="VoltVar", is_default=True, priority=1, settings=CURVE)
    der_alarms.raised(station, type="VoltWatt", fault="OverVoltage", at=now)
    battery_swap.inserted(station, 1, id_token="BO-1", id_token_type="ISO14443", batteries=[BATTERY])
    payments.settled(station, hostile[:30] or "psp-42", status="Settled", amount=Decimal("12.34"), at=now)
    _wishes_of_others(station, hostile)
    return SimpleNamespace(station=station)


def _wishes_of_others(station: ChargingStation, hostile: str) -> None:
    """Let an energy manager limit it, a vehicle tell needs, a report come, a stream run, a session have limits."""
    now = clock.now()
    period = {"startPeriod": 0, "limit": 12, "setpoint": -4}
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    charging_limits.told(
        station,
        evse_number=0,
        source=hostile[:20] or "EMS",
        is_grid_critical=True,
        schedules=[schedule],
        at=now,
    )
    needs = {"requestedEnergyTransfer": hostile[:20] or "DC", "dcChargingParameters": {"energyAmount": 20000}}
    charging_needs.told(station, evse_number=1, wire=needs, max_tuples=None, at=now, knows_no_profile=True)
    profile = {"id": 70, "chargingProfilePurpose": hostile or "TxProfile"}
    ProfileReport.objects.create(
        station=station, request_id=1, state="complete", asked_at=now, missing=[7], unknown=[70],
        told=[{"evse": 1, "source": hostile or "CSO", "profile": profile}],
    )  # fmt: skip
    event_streams.opened(station.pk, stream_id=3, monitor_id=7, interval_s=10, values_at_once=None, at=now)
    session = station.sessions.get()
    limits.put(session, max_energy_wh=Decimal(20000), max_time_s=3600, by="ada")


def _variables(station_id: int, hostile: str) -> None:
    told = [
        Told(PLACE, "42", None, {"unit": "Celsius", "data_type": "decimal", "max_limit": Decimal(90)}),
        Told(SOURCE, hostile or "Heartbeat", None, {"values_list": hostile or "NTP"}),
        Told(POWER, "11000", {"is_persistent": True, "is_constant": True}, {"unit": "W"}),
    ]
    device_model.store(station_id, told=told, at=clock.now())


def _event(station_id: int, hostile: str) -> DeviceEventRow:
    at = clock.now() - timedelta(minutes=1)
    return DeviceEventRow(
        station_id, 1, at, at, "Alerting", "CustomMonitor", "Connector", "", 1, 1, "Temperature", "",
        hostile or "95", None, False, 7, None, hostile[:50] or "E42", hostile or "too hot", "",
    )  # fmt: skip
