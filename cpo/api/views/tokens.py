"""/tokens/: what drivers show to a charger."""

from typing import Any, ClassVar

import django_filters
from django.db.models import Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import Conflict, refusals
from cpo.api.serializers.tokens import TokenSerializer, TokenWriteSerializer
from stations.models import IdToken
from stations.services import authorization


class TokenFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    uid = django_filters.CharFilter("uid", "iexact")
    status = django_filters.ChoiceFilter(choices=IdToken.Status.choices)
    party = django_filters.CharFilter(
        method="by_party", help_text="'NL*ABC': the partner whose drivers they are."
    )

    def by_party(self, rows: QuerySet[IdToken], name: str, party: str) -> QuerySet[IdToken]:
        """Give one partner's tokens."""
        country_code, _, party_id = party.partition("*")
        return rows.filter(Q(country_code=country_code.upper(), party_id=party_id.upper()))


class TokenList(ListEndpoint):
    """All id tokens in scope."""

    actions: ClassVar = {"GET": "view", "POST": "token.write"}
    object_type = "id_token"
    queryset = IdToken.objects.none()
    serializer_class = TokenSerializer
    filterset_class = TokenFilter

    def get_queryset(self) -> QuerySet[IdToken]:
        """Give the tokens in scope."""
        return access.tokens(self.principal)

    @extend_schema(summary="List id tokens", responses={200: TokenSerializer(many=True), **refusals(400)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add or change an id token",
        request=TokenWriteSerializer,
        responses={200: TokenSerializer, 201: TokenSerializer, **refusals(400)},
        examples=[
            OpenApiExample("block a card", value={"uid": "04A1B2C3", "status": "Blocked"}, request_only=True)
        ],
    )
    def post(self, request: Request) -> Response:
        """Upsert one of our own drivers' tokens by `uid`. 201 for a new one, 200 for a known one."""
        body = TokenWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        facts = dict(body.validated_data)
        uid = facts.pop("uid")
        self.note(uid, **{key: str(facts[key]) for key in facts.keys() & {"status", "expires_at"}})
        token, created = authorization.save_token(uid, **facts)
        return Response(TokenSerializer(token).data, status=201 if created else 200)


class TokenDetail(Endpoint):
    """One id token, by its uid in any case of letters."""

    actions: ClassVar = {"GET": "view", "DELETE": "token.write"}
    object_type = "id_token"

    @extend_schema(summary="Show an id token", responses={200: TokenSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show it; of several with this uid, our own comes first."""
        return Response(TokenSerializer(self._token(uid)).data)

    @extend_schema(summary="Delete an id token", responses={204: None, **refusals(404, 409)})
    def delete(self, request: Request, uid: str) -> Response:
        """Forget one of our own drivers' tokens. Its sessions stay."""
        token = self._token(uid)
        if token.country_code:
            raise Conflict("This token belongs to a partner, who alone may withdraw it.")
        authorization.delete_token(token)
        return Response(status=204)

    def _token(self, uid: str) -> IdToken:
        found = access.tokens(self.principal).filter(uid__iexact=uid).order_by("country_code", "-id").first()
        if found is None:
            raise Http404
        return found
