"""Periodic event streams of OCPP 2.1 (N11 to N15). Their values come in SEND frames, which are never answered."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from stations import readings
from stations.models import Command
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.services import event_streams
from stations.services.ingest import DeviceEventRow, StreamMark

ACCEPTED, REJECTED = "Accepted", "Rejected"
LARGEST = 2**31 - 1
LONGEST_S = Decimal(7 * 86400)  # seconds after the first value of a message that a later one may be


def open_periodic_event_stream(link: Link, incoming: Incoming) -> Payload:
    """Prepare for the values of a monitor (N11.FR.04)."""
    is_taken = event_streams.opened(
        link.station_id, at=incoming.received_at, **stream(incoming.payload["constantStreamData"])
    )

    return {"status": ACCEPTED if is_taken else REJECTED}


def close_periodic_event_stream(link: Link, incoming: Incoming) -> Payload:
    """Expect no more of a stream (N13.FR.02)."""
    event_streams.closed(link.station_id, stream_id=int(incoming.payload["id"]), at=incoming.received_at)

    return {}


def notify_periodic_event_stream(link: Link, incoming: Incoming) -> Payload:
    """Store the values with what their monitor knows of them (N15.FR.03); nobody is answered (N15.FR.02)."""
    payload = incoming.payload
    base, flags = readings.parse_timestamp(payload["basetime"], received_at=incoming.received_at)
    incoming.flags += flags
    number = int(payload["id"])
    incoming.facts.device_events = [
        DeviceEventRow(
            station_id=link.station_id,
            event_id=-number - 1,
            at=base + _offset(element["t"]),
            received_at=incoming.received_at,
            trigger="Periodic",
            origin="",
            component="",
            component_instance="",
            evse_number=0,
            connector_number=0,
            name="",
            instance="",
            value=str(element["v"]).replace("\0", "\ufffd")[:2500],
            severity=None,
            is_cleared=False,
            monitor_id=None,
            cause=None,
            tech_code="",
            tech_info="",
            transaction_id="",
            stream_id=number,
        )
        for element in payload["data"]
    ]
    pending = max(0, min(int(payload["pending"]), LARGEST))
    incoming.facts.stream = StreamMark(link.station_id, number, pending, incoming.received_at)

    return {}


def write_adjust(
    *, stream_id: int, interval_s: int | None, values_at_once: int | None
) -> tuple[str, Payload]:  # fmt: skip
    """Write AdjustPeriodicEventStream (N14.FR.01)."""
    rate = {"interval": interval_s, "values": values_at_once}
    params = {name: value for name, value in rate.items() if value is not None}
    return "AdjustPeriodicEventStream", {"id": stream_id, "params": params}


def adjust_periodic_event_stream(command: Command, answer: Payload | None) -> None:
    """Keep the rate that the station accepted (N14.FR.03)."""
    if answer is None or answer["status"] != ACCEPTED:
        return
    params = command.payload["params"]

    event_streams.adjusted(
        command.station_id,
        stream_id=command.payload["id"],
        interval_s=params.get("interval"),
        values_at_once=params.get("values"),
    )


def write_read() -> tuple[str, Payload]:
    """Write GetPeriodicEventStream (N12)."""
    return "GetPeriodicEventStream", {}


def get_periodic_event_stream(command: Command, answer: Payload | None) -> None:
    """Take the list of open streams (N12.FR.01)."""
    if answer is not None:
        event_streams.were_told(
            command.station_id, [stream(told) for told in answer.get("constantStreamData") or ()]
        )


def stream(told: Payload) -> dict[str, Any]:
    """Read a ConstantStreamDataType."""
    params = told.get("params") or {}
    return {
        "stream_id": int(told["id"]),
        "monitor_id": int(told["variableMonitoringId"]),
        "interval_s": params.get("interval"),
        "values_at_once": params.get("values"),
    }


def _offset(t: Any) -> timedelta:
    """Read the seconds since the first value; what cannot be is none."""
    seconds = Decimal(str(t))
    is_sane = seconds.is_finite() and abs(seconds) <= LONGEST_S
    return timedelta(microseconds=int(seconds * 1_000_000) if is_sane else 0)
