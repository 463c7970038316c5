"""Id tokens and the decision whether one may charge (OCPP 2.1 block C, 1.6 section 4.1)."""

from datetime import datetime
from typing import Any

from django.db import transaction

from cpo.lib import clock, database, events
from stations import ports
from stations.events import TokenChanged
from stations.models import ChargingStation, IdToken
from stations.ports import Decision

FIELDS = [field.attname for field in IdToken._meta.concrete_fields]
_FIND = f"""
select {", ".join(FIELDS)} from stations_idtoken
where upper(uid) = upper(%s) and country_code {{}} ''
order by (status = 'Accepted') desc, id desc limit 1
"""  # noqa: S608 - names of columns
OWN, FOREIGN = _FIND.format("="), _FIND.format("<>")


def find(uid: str, *, own: bool) -> IdToken | None:
    """Return the token with this uid without regard to case: our own drivers' or the partners'.

    Of several with one uid, the usable one comes first, then the newest.
    """
    rows = database.prepared(OWN if own else FOREIGN, [uid])
    return IdToken.from_db("default", FIELDS, rows[0]) if rows else None


def status_of(token: IdToken) -> str:
    """Return the OCPP 1.6 AuthorizationStatus of a stored token at this moment."""
    return status_at(token.status, token.expires_at)


def status_at(status: str, expires_at: datetime | None) -> str:
    """Return the AuthorizationStatus of a token with this stored status and expiry, at this moment."""
    is_expired = expires_at is not None and expires_at <= clock.now()
    return "Expired" if status == IdToken.Status.ACCEPTED and is_expired else status


def local_token(uid: str, *, station: ChargingStation) -> Decision | None:
    """Decide about our own drivers' tokens; None when the token is not ours."""
    token = find(uid, own=True)
    if token is None:
        return None
    return Decision(
        status=status_of(token), token=token, expires_at=token.expires_at, group_id=token.group_id
    )


def authorize(uid: str, *, station: ChargingStation) -> Decision:
    """Answer *may this token charge here?* An empty or unknown token is `Invalid`."""
    uid = uid.strip()
    return ports.authorize(uid, station=station) if uid else ports.UNKNOWN_TOKEN


@transaction.atomic(savepoint=False)
def save_token(
    uid: str, *, type: str = "RFID", country_code: str = "", party_id: str = "", **fields: Any
) -> tuple[IdToken, bool]:
    """Create or change a token; its key is (uid, type, party), case aside. Return it and whether it is new."""
    fields.setdefault("last_updated", clock.now())
    key = {
        "uid__iexact": uid,
        "type": type,
        "country_code__iexact": country_code,
        "party_id__iexact": party_id,
    }
    token = IdToken.objects.select_for_update().filter(**key).first()
    created = token is None
    if token is None:
        token, created = IdToken.objects.get_or_create(
            uid=uid, type=type, country_code=country_code, party_id=party_id, defaults=fields
        )
    if not created:
        for name, value in fields.items():
            setattr(token, name, value)
        token.save(update_fields=list(fields))
    events.publish(TokenChanged(token.pk))
    return token, created


@transaction.atomic(savepoint=False)
def delete_token(token: IdToken) -> None:
    """Forget a token; sessions keep the uid that was presented."""
    token_id = token.pk
    token.delete()
    events.publish(TokenChanged(token_id))
