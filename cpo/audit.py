"""The record of changes: who asked for what, on which object, when, from where, and what he was told."""

from typing import Any

from django.http import HttpRequest

from cpo.access import Principal
from cpo.lib import addresses, clock
from cpo.models import AuditEvent


def record(
    actor: Principal,
    action: str,
    *,
    object_type: str = "",
    object_id: object = "",
    facts: dict[str, Any] | None = None,
    request: HttpRequest | None = None,
    channel: str = AuditEvent.Channel.CONSOLE,
    outcome: int = 200,
) -> AuditEvent:
    """Append one event. Call it in the transaction of the change; `facts` must hold no secret.

    `action` is a name of `cpo.access.ACTIONS`, `outcome` the HTTP status that the actor was given.
    """
    row = actor.api_token or actor.user
    return AuditEvent.objects.create(
        at=clock.now(),
        channel=channel,
        actor=actor.name[:150],
        actor_id=row.pk if row else None,
        role=actor.role or "",
        address=address(request) if request else "",
        action=action,
        object_type=object_type,
        object_id=str(object_id)[:255],
        outcome=outcome,
        facts=facts or {},
    )


def address(request: HttpRequest) -> str:
    """Give the address of the peer; X-Forwarded-For is believed only from a trusted proxy, and only its last entry."""
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR") or "")
    return addresses.client(str(request.META.get("REMOTE_ADDR") or ""), forwarded)
