"""ReserveNow and CancelReservation (OCPP 1.6 sections 5.13 and 5.1)."""

from typing import Any

from django.utils.dateparse import parse_datetime

from stations.models import Command, Evse, Reservation
from stations.ocpp import outcomes
from stations.ocpp.route import Payload
from stations.ocpp.v16 import values
from stations.services import reservations
from stations.services.errors import InvalidPayload

Status = Reservation.Status
ANY_CONNECTOR = 0

# What no answer means, by the command's status.


def write_reserve(*, reservation: Reservation) -> tuple[str, Payload]:
    """Write ReserveNow; any EVSE is connector 0. Raise `InvalidPayload` for a connector type: 1.6 knows none."""
    if reservation.connector_type:
        raise InvalidPayload("connector_type", "OCPP 1.6 cannot ask for a type of connector")
    payload: Payload = {
        "connectorId": reservation.evse.number if reservation.evse else ANY_CONNECTOR,
        "expiryDate": values.time(reservation.expires_at),
        "idTag": reservation.id_token,
        "reservationId": reservation.number,
    }
    if reservation.group_id and len(reservation.group_id) <= values.MAX_ID_TAG:
        payload["parentIdTag"] = reservation.group_id
    return "ReserveNow", payload


def write_cancel(*, reservation: Reservation) -> tuple[str, Payload]:
    """Write CancelReservation."""
    return "CancelReservation", {"reservationId": reservation.number}


def reserve_now(command: Command, answer: Payload | None) -> None:
    """Take the station's word (section 7.40); a CALLERROR is a refusal, an unreadable answer tells nothing."""
    status, reason = outcomes.of_reservation(command, answer)

    reservations.answered(
        command.station,
        number=command.payload["reservationId"],
        status=status,
        reason=reason,
        facts=_facts(command),
    )


def _facts(command: Command) -> dict[str, Any]:
    """Read the reservation from the request, for one that a person wrote by hand."""
    payload = command.payload
    return {
        "evse": Evse.objects.filter(station=command.station, number=payload["connectorId"]).first(),
        "id_token": payload["idTag"],
        "group_id": payload.get("parentIdTag") or "",
        "expires_at": parse_datetime(payload["expiryDate"]),
        "requested_by": command.requested_by,
    }
