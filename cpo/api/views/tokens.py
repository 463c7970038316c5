"""/tokens/, /token-groups/ and /unknown-tokens/: what drivers show to a charger."""

from typing import Any, ClassVar

import django_filters
from django.db.models import Q, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api import filters
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import Conflict, refusals
from cpo.api.serializers.tokens import (
    TokenGroupSerializer,
    TokenGroupWriteSerializer,
    TokenSerializer,
    TokenWriteSerializer,
    UnknownTokenAcceptSerializer,
    UnknownTokenIgnoreSerializer,
    UnknownTokenSerializer,
)
from stations.models import IdToken, Location, TokenGroup, UnknownToken
from stations.services import authorization, token_groups, unknown_tokens
from stations.services.errors import InvalidToken


class TokenFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    uid = django_filters.CharFilter("uid", "iexact")
    status = django_filters.ChoiceFilter(choices=IdToken.Status.choices)
    group = django_filters.CharFilter("group_id", "iexact")
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
        return access.tokens(self.principal).prefetch_related("locations", "operators")

    @extend_schema(summary="List id tokens", responses={200: TokenSerializer(many=True), **refusals(400)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add or change an id token",
        request=TokenWriteSerializer,
        responses={200: TokenSerializer, 201: TokenSerializer, **refusals(400)},
        examples=[
            OpenApiExample("block a card", value={"uid": "04A1B2C3", "status": "Blocked"}, request_only=True),
            OpenApiExample(
                "one session, at one operator's sites",
                value={"uid": "04A1B2C3", "max_sessions": 1, "operators": ["NL*OPN"]},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Upsert one of our own drivers' tokens by `uid`. 201 for a new one, 200 for a known one."""
        body = TokenWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        facts = dict(body.validated_data)
        uid = facts.pop("uid")
        noted = facts.keys() & {"status", "expires_at", "group_id", "max_sessions", "charging_priority"}
        self.note(uid, **{key: str(facts[key]) for key in noted})
        if "locations" in facts:
            facts["locations"] = self._locations(facts["locations"])
        token, created = authorization.save_token(uid, **facts)
        return Response(TokenSerializer(token).data, status=201 if created else 200)

    def _locations(self, uids: list[str]) -> list[Location]:
        found = {location.uid: location for location in access.locations(self.principal).filter(uid__in=uids)}
        missing = [uid for uid in uids if uid not in found]
        if missing:
            raise ValidationError({"locations": [f"There is no location {missing[0]}."]})
        return list(found.values())


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


class TokenGroupList(ListEndpoint):
    """All groups of tokens."""

    actions: ClassVar = {"GET": "view", "POST": "token.write"}
    object_type = "token_group"
    queryset = TokenGroup.objects.none()
    serializer_class = TokenGroupSerializer

    def get_queryset(self) -> QuerySet[TokenGroup]:
        """Give the groups in scope."""
        return access.token_groups(self.principal)

    @extend_schema(
        summary="List token groups", responses={200: TokenGroupSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first. Its tokens are listed under /tokens/?group=."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add or change a token group",
        request=TokenGroupWriteSerializer,
        responses={200: TokenGroupSerializer, 201: TokenGroupSerializer, **refusals(400)},
    )
    def post(self, request: Request) -> Response:
        """Upsert a group by `uid`; its tokens follow at once. 201 for a new one, 200 for a known one."""
        body = TokenGroupWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        facts = dict(body.validated_data)
        uid = facts.pop("uid")
        self.note(uid, **{key: str(facts[key]) for key in facts.keys() & {"status", "max_sessions"}})
        group, created = token_groups.save(uid, **facts)
        return Response(TokenGroupSerializer(group).data, status=201 if created else 200)


class TokenGroupDetail(Endpoint):
    """One group of tokens, by its uid in any case of letters."""

    actions: ClassVar = {"GET": "view", "DELETE": "token.write"}
    object_type = "token_group"

    @extend_schema(summary="Show a token group", responses={200: TokenGroupSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show it."""
        return Response(TokenGroupSerializer(self._group(uid)).data)

    @extend_schema(summary="Delete a token group", responses={204: None, **refusals(404)})
    def delete(self, request: Request, uid: str) -> Response:
        """Forget the group's rules. Its tokens keep naming it."""
        token_groups.delete(self._group(uid))
        return Response(status=204)

    def _group(self, uid: str) -> TokenGroup:
        return get_object_or_404(access.token_groups(self.principal), uid__iexact=uid)


class UnknownTokenFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    is_ignored = filters.Flag()
    station = django_filters.CharFilter("station__identity", help_text="Where it was shown last.")


class UnknownTokenList(ListEndpoint):
    """Tokens that somebody showed and that nobody knows."""

    queryset = UnknownToken.objects.none()
    serializer_class = UnknownTokenSerializer
    filterset_class = UnknownTokenFilter

    def get_queryset(self) -> QuerySet[UnknownToken]:
        """Give those shown last at stations in scope."""
        return access.unknown_tokens(self.principal).select_related("station")

    @extend_schema(
        summary="List unknown tokens", responses={200: UnknownTokenSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class UnknownTokenAccept(Endpoint):
    """The admission of an unknown token."""

    actions: ClassVar = {"POST": "token.write"}
    object_type = "id_token"

    @extend_schema(
        summary="Accept an unknown token",
        request=UnknownTokenAcceptSerializer,
        responses={201: TokenSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, item_id: str) -> Response:
        """Make one of our own drivers' tokens of it. 409 when what was shown is too long to be one."""
        body = UnknownTokenAcceptSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        row = get_object_or_404(access.unknown_tokens(self.principal), pk=int(item_id))
        self.note(row.uid, accepted=True)
        try:
            token = authorization.accept_unknown(row, **body.validated_data)
        except InvalidToken as error:
            raise Conflict(f"It cannot be a token: {error}.") from error
        return Response(TokenSerializer(token).data, status=201)


class UnknownTokenIgnore(Endpoint):
    """The dismissal of an unknown token."""

    actions: ClassVar = {"POST": "token.write"}
    object_type = "id_token"

    @extend_schema(
        summary="Ignore an unknown token",
        request=UnknownTokenIgnoreSerializer,
        responses={200: UnknownTokenSerializer, **refusals(400, 404)},
    )
    def post(self, request: Request, item_id: str) -> Response:
        """Hide it from the list; it is still counted."""
        body = UnknownTokenIgnoreSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        row = get_object_or_404(access.unknown_tokens(self.principal), pk=int(item_id))
        self.note(row.uid, ignored=body.validated_data["ignored"])
        unknown_tokens.ignore(row, is_ignored=body.validated_data["ignored"])
        return Response(UnknownTokenSerializer(row).data)
