"""Which energy transfers a driver may use: what a contract allows, and what a station can (OCPP 2.1 Q01, Q02)."""

from collections.abc import Sequence

from django.db import transaction

from cpo.lib import clock
from stations.models import (
    BidirectionalSession,
    ChargingSession,
    ChargingStation,
    IdToken,
    TransferPermission,
    Variable,
)
from stations.services.errors import InvalidPayload

# EnergyTransferModeEnumType
MODES = frozenset(
    {
        "AC_single_phase", "AC_two_phase", "AC_three_phase", "DC", "AC_BPT", "AC_BPT_DER", "AC_DER", "DC_BPT",
        "DC_ACDP", "DC_ACDP_BPT", "WPT",
    }
)  # fmt: skip
CONTROLLER = "V2XChargingCtrlr"
ISO15118 = "ISO15118Ctrlr"


@transaction.atomic(savepoint=False)
def put(token: IdToken, modes: Sequence[str], *, by: str = "") -> TransferPermission | None:
    """Decide which transfers a token may use; none at all takes the decision back: then nothing is said of them.

    Raise `InvalidPayload` for what is no transfer mode.
    """
    check(modes)
    if not modes:
        TransferPermission.objects.filter(token=token).delete()
        return None
    row, _ = TransferPermission.objects.update_or_create(
        token=token, defaults={"modes": list(modes), "set_by": by[:100], "set_at": clock.now()}
    )
    return row


def check(modes: Sequence[str]) -> None:
    """Raise `InvalidPayload` for what is no transfer mode."""
    wrong = sorted(set(modes) - MODES)
    if wrong:
        raise InvalidPayload("modes", f"{wrong[0]} is no transfer mode")


def told(station: ChargingStation, token: IdToken | None) -> list[str]:
    """Give the transfers that an answer to Authorize names; none where nobody has decided (Q01.FR.01, Q01.FR.08).

    Only stations that have ISO 15118 and energy in both directions switched on are told, and only what they can.
    """
    if token is None:
        return []
    row = TransferPermission.objects.filter(token=token).first()
    if row is None:
        return []
    known = _variables(station)
    if "false" in (known.get((CONTROLLER, "enabled"), "false"), known.get((ISO15118, "enabled"), "false")):
        return []
    supported = known.get((CONTROLLER, "supportedenergytransfermodes"), "")
    can = {word.strip() for word in supported.split(",") if word.strip()}
    return [mode for mode in row.modes if not can or mode in can]


def may(session: ChargingSession | None, transfer: str) -> bool:
    """Tell whether a session may use a transfer: by what its station was told last, else by its driver's contract."""
    if session is None:
        return True
    row = BidirectionalSession.objects.filter(session=session).first()
    if row is not None and row.allowed and row.allowed_state != BidirectionalSession.State.REFUSED:
        return transfer in row.allowed
    permission = (
        TransferPermission.objects.filter(token=session.token_id).first() if session.token_id else None
    )
    return permission is None or transfer in permission.modes


def _variables(station: ChargingStation) -> dict[tuple[str, str], str]:
    rows = Variable.objects.filter(station=station, component__in=(CONTROLLER, ISO15118), attribute="Actual")
    return {
        (component, name.lower()): (value or "").lower() if name.lower() == "enabled" else value or ""
        for component, name, value in rows.values_list("component", "name", "value")
    }
