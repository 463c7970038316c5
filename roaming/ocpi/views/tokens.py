"""Tokens (OCPI 2.2.1 mod_tokens#Receiver Interface): partners keep their drivers' tokens here up to date."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from roaming import partner_tokens
from roaming.ocpi.base import OcpiView
from roaming.ocpi.envelope import INVALID, UNKNOWN_TOKEN, Missing, Refusal, answer
from stations.models import IdToken


class TokenView(OcpiView):
    """GET, PUT, PATCH one token; there is no DELETE, `valid` false takes its place."""

    module = "tokens"

    def get(self, request: Request, **names: str) -> Response:
        token = self._stored(names)
        if token is None:
            raise Missing(UNKNOWN_TOKEN, "unknown token")
        return answer(self.version.token().to_representation(token))

    def put(self, request: Request, **names: str) -> Response:
        party = self._party(names)
        data = dict(self.document)
        for name, value in (("country_code", names["country_code"]), ("party_id", names["party_id"])):
            data.setdefault(name, value)
        data.setdefault("type", self._type)
        values = self._checked(self.read(self.version.token, data), names)
        created = partner_tokens.save(party, values)
        return answer(http=201 if created else 200)

    def patch(self, request: Request, **names: str) -> Response:
        party = self._party(names)
        values = self._checked(self.read(self.version.token, partial=True), names)
        if "last_updated" not in values:
            raise Refusal(INVALID, "last_updated is required")
        stored = self._stored(names)
        if stored is None:
            raise Missing(UNKNOWN_TOKEN, "unknown token")
        partner_tokens.change(party, stored, values)
        return answer()

    @property
    def _type(self) -> str:
        word = self.request.query_params.get("type") or "RFID"
        if not (word.isascii() and word.isprintable() and len(word) <= 16):
            raise Refusal(INVALID, "type is no TokenType")
        return word.upper()

    def _party(self, names: dict[str, str]) -> str:
        """Return the party of the path; one of somebody else does not exist here."""
        key = f"{names['country_code']}*{names['party_id']}".upper()
        if key not in self.visible.parties:
            raise Missing(INVALID, f"{key[:10]} is no party of this connection")
        return key

    def _stored(self, names: dict[str, str]) -> IdToken | None:
        country_code, _, party_id = self._party(names).partition("*")
        rows = self.visible.tokens().filter(country_code=country_code, party_id=party_id, type=self._type)
        return rows.filter(uid__iexact=names["uid"]).first()

    def _checked(self, values: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
        """Return the values if they name the object of the path; raises Refusal 2001."""
        asked = {**names, "type": self._type}
        for name in ("country_code", "party_id", "uid", "type"):
            if name in values and values[name].upper() != asked[name].upper():
                raise Refusal(INVALID, f"{name} differs from the one in the URL")
        return values
