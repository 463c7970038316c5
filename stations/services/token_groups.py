"""Groups of our own drivers' tokens (OCPP 1.6 parentIdTag, 2.x groupIdToken)."""

from typing import Any

from django.db import transaction

from cpo.lib import clock
from stations.models import IdToken, TokenGroup
from stations.services import authorization


@transaction.atomic(savepoint=False)
def save(uid: str, **fields: Any) -> tuple[TokenGroup, bool]:
    """Create or change a group, by its uid in any case of letters; its tokens follow. Return it and whether it is new.

    A blocked group blocks its tokens; `max_sessions` counts those of all its tokens together.
    """
    fields["last_updated"] = clock.now()
    group = TokenGroup.objects.select_for_update().filter(uid__iexact=uid).first()
    created = group is None
    if group is None:
        group = TokenGroup.objects.create(uid=uid, **fields)
    else:
        for name, value in fields.items():
            setattr(group, name, value)
        group.save(update_fields=list(fields))
    _follow(group.uid)
    return group, created


@transaction.atomic(savepoint=False)
def delete(group: TokenGroup) -> None:
    """Forget a group's own rules. Its tokens keep naming it: drivers may still stop each other's sessions."""
    uid = group.uid
    group.delete()
    _follow(uid)


def _follow(uid: str) -> None:
    authorization.restrict_group(uid)
    member = (
        IdToken.objects.filter(group_id__iexact=uid, country_code="").values_list("pk", flat=True).first()
    )
    if member is not None:
        authorization.changed(member)
