"""What each message writes, in one transaction with its journal row."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from bench.textbook.models import Connector, Message, Sample, Session, Station

Payload = dict[str, Any]


@transaction.atomic
def record(station_id: int, message_id: str, action: str, text: str, payload: Payload) -> int | None:
    """Write the journal row and what the message changes. Returns the transaction id of a start."""
    now = timezone.now()
    Message.objects.create(station_id=station_id, message_id=message_id, action=action, text=text, at=now)
    Station.objects.filter(pk=station_id).update(last_seen=now)
    return CHANGES[action](station_id, payload)


def boot(station_id: int, payload: Payload) -> None:
    Station.objects.filter(pk=station_id).update(
        vendor=payload["charge_point_vendor"], model=payload["charge_point_model"]
    )


def status(station_id: int, payload: Payload) -> None:
    Connector.objects.update_or_create(
        station_id=station_id,
        number=payload["connector_id"],
        defaults={"status": payload["status"], "error_code": payload["error_code"]},
    )


def start(station_id: int, payload: Payload) -> int:
    session, _ = Session.objects.get_or_create(
        station_id=station_id,
        connector=payload["connector_id"],
        id_tag=payload["id_tag"],
        started_at=moment(payload["timestamp"]),
        meter_start=payload["meter_start"],
    )
    return int(session.pk)


def meter(station_id: int, payload: Payload) -> None:
    session = Session.objects.get(pk=payload["transaction_id"], station_id=station_id)
    Sample.objects.bulk_create(
        Sample(
            session=session,
            at=moment(meter_value["timestamp"]),
            measurand=sampled.get("measurand", "Energy.Active.Import.Register"),
            phase=sampled.get("phase", ""),
            unit=sampled.get("unit", ""),
            context=sampled.get("context", ""),
            value=Decimal(sampled["value"]),
        )
        for meter_value in payload["meter_value"]
        for sampled in meter_value["sampled_value"]
    )


def stop(station_id: int, payload: Payload) -> None:
    session = Session.objects.select_for_update().get(pk=payload["transaction_id"], station_id=station_id)
    session.ended_at = moment(payload["timestamp"])
    session.meter_stop, session.reason = payload["meter_stop"], payload.get("reason", "")
    session.save(update_fields=["ended_at", "meter_stop", "reason"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


CHANGES = {
    "BootNotification": boot,
    "StatusNotification": status,
    "Heartbeat": lambda station_id, payload: None,
    "StartTransaction": start,
    "MeterValues": meter,
    "StopTransaction": stop,
}
