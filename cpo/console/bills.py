"""The CDRs of sessions as pages show them: read with the sessions, the newest first."""

from django.db.models import Prefetch

from billing.models import Cdr
from stations.models import ChargingSession

NAME = "bills"
BILLS = Prefetch("cdrs", Cdr.objects.select_related("credit").order_by("-pk"), to_attr=NAME)


def bills(session: ChargingSession) -> list[Cdr]:
    """Return the CDRs of a session that was read with them, each with its credit CDR."""
    found: list[Cdr] = getattr(session, NAME)
    return found


def newest(session: ChargingSession) -> Cdr | None:
    """Return the CDR that was issued last."""
    return next(iter(bills(session)), None)
