"""Sessions that go on although their token may not charge any more (SECURITY.md, case T10).

OCPP 1.6 lets them run: an operator is told once, and may have them stopped by a setting (OCPP_STOP_LOST_TOKENS).
"""

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Upper

from cpo.lib import clock
from stations.models import ChargingSession, IdToken, ReviewItem, TokenGroup
from stations.services import authorization, remote, review
from stations.services.errors import StationsError

KIND = ReviewItem.Kind.UNAUTHORISED_ENERGY
BY = "lost token"
AT_ONCE = 200


def sweep() -> int:
    """Tell of, and perhaps stop, sessions whose token was blocked or has expired since they began; return how many."""
    found = list(_lost().select_related("station", "token")[:AT_ONCE])
    for session in found:
        _take(session)
    return len(found)


def _lost() -> QuerySet[ChargingSession]:
    group = TokenGroup.objects.alias(key=Upper("uid")).filter(
        key=Upper(OuterRef("token__group_id")), status=TokenGroup.Status.BLOCKED
    )
    is_expired = Q(token__expires_at__lte=clock.now(), token__expires_at__gt=F("started_at"))
    is_grouped = Q(token__is_restricted=True, token__country_code="") & Exists(group)
    told = ReviewItem.objects.filter(session=OuterRef("pk"), kind=KIND)
    return (
        ChargingSession.objects.active()
        .filter(~Exists(told), authorization_status="Accepted", token__isnull=False)
        .filter(~Q(token__status=IdToken.Status.ACCEPTED) | is_expired | is_grouped)
        .order_by("id")
    )


@transaction.atomic(savepoint=False)
def _take(session: ChargingSession) -> None:
    assert session.token is not None
    status = authorization.status_of(session.token)
    word = "Blocked" if status == "Accepted" else status  # by its group
    review.raise_item(
        KIND,
        key=f"lost token:{session.pk}",
        summary=f"{session.station.identity} goes on charging with token {session.id_token}: {word} since it began",
        station=session.station,
        session=session,
        facts={"id_token": session.id_token, "status": word},
    )
    if settings.OCPP_STOP_LOST_TOKENS:
        try:
            remote.stop(session, requested_by=BY, queue_offline=True)
        except StationsError:
            return  # its version has no such words: the operator is told
