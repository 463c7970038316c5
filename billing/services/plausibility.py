"""Can this session have happened? What no connector can give in the time waits for a human before it costs money."""

from datetime import timedelta
from decimal import Decimal

from django.conf import settings

from billing.errors import Implausible
from billing.models import SessionSnapshot
from stations.models import ChargingSession

SPARE_WH = Decimal(1000)  # short sessions: a minute's error of a clock must not hold them
_HOUR = Decimal(3600)


def check(session: ChargingSession, snapshot: SessionSnapshot) -> None:
    """Raise Implausible when the energy is more than the connector's power gives in the session's time.

    An energy that an operator has set by hand is his word, and passes.
    """
    margin = Decimal(settings.BILLING_MARGIN_PERCENT) / 100
    if not margin or session.ended_at is None or is_by_hand(session):
        return
    power_w = Decimal(snapshot.connector.get("max_electric_power") or settings.BILLING_MOST_POWER_W)
    seconds = Decimal((session.ended_at - session.started_at) // timedelta(seconds=1))
    most_wh = power_w * seconds / _HOUR * margin + SPARE_WH
    if session.energy_wh > most_wh:
        raise Implausible(
            f"{session.energy_wh / 1000:.1f} kWh in {seconds / 60:.0f} minutes is more than "
            f"{power_w / 1000:.0f} kW can give: release it, or correct its energy"
        )


def is_by_hand(session: ChargingSession) -> bool:
    """Tell whether an operator has set the energy."""
    return any(word.startswith("corrected_by:") for word in session.flags)
