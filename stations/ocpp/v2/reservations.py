"""ReserveNow, CancelReservation and ReservationStatusUpdate (H01 to H04)."""

from typing import Any

from django.utils.dateparse import parse_datetime

from stations.models import Command, Evse, Reservation
from stations.ocpp import outcomes
from stations.ocpp.codec import timestamp
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import values
from stations.services import reservations

Status = Reservation.Status

# What no answer means, by the command's status.
# ReservationUpdateStatusEnumType
UPDATES = {
    "Expired": (Status.EXPIRED, ""),
    "Removed": (Status.REMOVED, "removed by the station"),
    "NoTransaction": (Status.REMOVED, "used, but nothing began"),
}


def write_reserve(*, reservation: Reservation) -> tuple[str, Payload]:
    """Write ReserveNow; any EVSE is none named, perhaps with a type of connector (H01.FR.07, H01.FR.18)."""
    payload: Payload = {
        "id": reservation.number,
        "expiryDateTime": timestamp(reservation.expires_at),
        "idToken": values.write_id_token(reservation.id_token, reservation.id_token_type),
    }
    if reservation.evse is not None:
        payload["evseId"] = reservation.evse.number
    elif reservation.connector_type:
        payload["connectorType"] = reservation.connector_type
    if reservation.group_id:
        payload["groupIdToken"] = values.write_group(reservation.group_id)
    return "ReserveNow", payload


def write_cancel(*, reservation: Reservation) -> tuple[str, Payload]:
    """Write CancelReservation (H02)."""
    return "CancelReservation", {"reservationId": reservation.number}


def reserve_now(command: Command, answer: Payload | None) -> None:
    """Take the station's word (ReserveNowStatusEnumType); a CALLERROR is a refusal."""
    status, reason = outcomes.of_reservation(command, answer)

    reservations.answered(
        command.station, number=command.payload["id"], status=status, reason=reason, facts=_facts(command)
    )


def reservation_status_update(link: Link, incoming: Incoming) -> Payload:
    """Note that a reservation is over without a transaction (H01.FR.16, H04.FR.01).

    A word that nobody knows says nothing; the journal has it.
    """
    update = UPDATES.get(incoming.payload["reservationUpdateStatus"])
    if update is None:
        return {}
    status, reason = update
    number = int(incoming.payload["reservationId"])

    known = reservations.released(link.station, number=number, status=status, reason=reason)

    if not known:
        incoming.flags.append("unknown_reservation")
    return {}


def _facts(command: Command) -> dict[str, Any]:
    """Read the reservation from the request, for one that a person wrote by hand."""
    payload = command.payload
    number = payload.get("evseId")
    return {
        "evse": Evse.objects.filter(station=command.station, number=number).first() if number else None,
        "connector_type": payload.get("connectorType") or "",
        "id_token": values.id_token(payload["idToken"]),
        "id_token_type": payload["idToken"]["type"],
        "group_id": values.id_token(payload.get("groupIdToken")),
        "expires_at": parse_datetime(payload["expiryDateTime"]),
        "requested_by": command.requested_by,
    }
