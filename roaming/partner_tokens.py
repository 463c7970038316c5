"""Partners' tokens, pushed or pulled, into our list of id tokens: the newest word of their owner counts."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from stations.models import IdToken
from stations.services import authorization

KEY = ("uid", "type", "country_code", "party_id")
# What a PUT without them goes back to (OCPI 2.2.1 transport_and_format#PUT).
DEFAULTS: Mapping[str, Any] = {
    "contract_id": "",
    "visual_number": "",
    "issuer": "",
    "group_id": "",
    "language": "",
    "default_profile_type": "",
    "energy_contract": None,
}


@transaction.atomic
def save(party: str, values: Mapping[str, Any]) -> bool:
    """Store a whole token of `party` and return whether it is new. One older than what we have changes nothing."""
    country_code, _, party_id = party.partition("*")
    kind = values.get("type", "RFID")
    stored = IdToken.objects.select_for_update().filter(
        uid__iexact=values["uid"], type=kind, country_code=country_code, party_id=party_id
    )
    known = stored.first()
    if known is not None and values["last_updated"] < known.last_updated:
        return False
    fields = {**DEFAULTS, **{name: value for name, value in values.items() if name not in KEY}}
    _, created = authorization.save_token(
        values["uid"], type=kind, country_code=country_code, party_id=party_id, **fields
    )
    return created


@transaction.atomic
def change(party: str, stored: IdToken, values: Mapping[str, Any]) -> None:
    """Change some members of a token of `party`; what is older than what we have changes nothing."""
    locked = IdToken.objects.select_for_update().get(pk=stored.pk)
    if values["last_updated"] < locked.last_updated:
        return
    country_code, _, party_id = party.partition("*")
    fields = {name: value for name, value in values.items() if name not in KEY}
    authorization.save_token(
        locked.uid, type=locked.type, country_code=country_code, party_id=party_id, **fields
    )
