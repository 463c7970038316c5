"""/stations/{id}/security/: profile, password and spellings of a station, and how they are changed."""

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint
from cpo.api.errors import refusals
from cpo.api.serializers.security_profiles import (
    AliasSerializer,
    BegunSerializer,
    BulkPasswordSerializer,
    ByHandSerializer,
    PasswordChangeSerializer,
    ProfileChangeSerializer,
    RaiseSerializer,
    StationSecuritySerializer,
)
from stations.models import ChargingStation, RootCertificate
from stations.services import aliases, passwords, security_profiles
from stations.services.network_profiles import Connection

CHANGES = 10  # shown of each kind


class StationSecurity(Endpoint):
    """What lets a station in."""

    @extend_schema(
        summary="Show a station's security", responses={200: StationSecuritySerializer, **refusals(404)}
    )
    def get(self, request: Request, identity: str) -> Response:
        """Profile, TLS of the newest connection, changes under way and past, other spellings."""
        station = _station(self, identity)
        return Response(
            StationSecuritySerializer(
                {
                    "security_profile": station.security_profile,
                    "next_security_profile": station.next_security_profile,
                    "password_changed_at": station.secret_changed_at,
                    "connection": station.connections.order_by("-epoch").first(),
                    "profile_changes": station.profile_changes.order_by("-id")[:CHANGES],
                    "password_changes": station.password_changes.order_by("-id")[:CHANGES],
                    "aliases": station.aliases.order_by("alias"),
                }
            ).data
        )


class StationProfile(Endpoint):
    """The security profile of a station."""

    actions: ClassVar = dict.fromkeys(("POST", "PUT", "DELETE"), "station.security")
    object_type = "station"

    @extend_schema(
        summary="Raise a station's security profile over OCPP",
        request=RaiseSerializer,
        responses={202: ProfileChangeSerializer, **refusals(400, 404, 409)},
        examples=[OpenApiExample("to TLS", value={"profile": 2}, request_only=True)],
    )
    def post(self, request: Request, identity: str) -> Response:
        """Install the root, for profile 3 a certificate, then the profile; the old one stays if it does not return."""
        station = _station(self, identity)
        clean = self._clean(RaiseSerializer, identity)
        root_id = clean.pop("root_id", None)
        root = get_object_or_404(RootCertificate, pk=root_id) if root_id is not None else None
        connection = clean.pop("connection", None)
        change = security_profiles.raise_to(
            station,
            root=root,
            connection=Connection(**connection) if connection else None,
            requested_by=self.principal.name,
            **clean,
        )
        return Response(ProfileChangeSerializer(change).data, status=202)

    @extend_schema(
        summary="Say which security profile a station is set to",
        request=ByHandSerializer,
        responses={200: ByHandSerializer, **refusals(400, 404, 409)},
    )
    def put(self, request: Request, identity: str) -> Response:
        """Nothing is sent; it holds from the station's next connection on. A lower one must be confirmed."""
        station = _station(self, identity)
        clean = self._clean(ByHandSerializer, identity)
        security_profiles.set_by_hand(station, by=self.principal.name, **clean)
        return Response(clean)

    @extend_schema(
        summary="Cancel the change of a station's security profile",
        request=None,
        responses={200: ProfileChangeSerializer, **refusals(404, 409)},
    )
    def delete(self, request: Request, identity: str) -> Response:
        """The profile stays what it was."""
        changes = _station(self, identity).profile_changes
        change = get_object_or_404(changes, status__in=("running", "returning"))
        done = security_profiles.cancel(change, by=self.principal.name)
        return Response(ProfileChangeSerializer(done).data)

    def _clean(self, kind: type[Any], identity: str) -> dict[str, Any]:
        body = kind(data=self.request.data)
        body.is_valid(raise_exception=True)
        self.note(identity, **body.validated_data)
        return dict(body.validated_data)


class StationPasswordChange(Endpoint):
    """A new password for a station."""

    actions: ClassVar = {"POST": "station.security"}
    object_type = "station"

    @extend_schema(
        summary="Change a station's password over OCPP",
        request=None,
        responses={202: PasswordChangeSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """A random one that nobody sees; the old one is good until it is used. An offline station gets it later."""
        principal = self.principal
        made = passwords.change(_station(self, identity), requested_by=principal.name, user=principal.user)
        return Response(PasswordChangeSerializer(made).data, status=202)


class PasswordChanges(Endpoint):
    """New passwords for many stations."""

    actions: ClassVar = {"POST": "station.security"}
    object_type = "station"

    @extend_schema(
        summary="Change the passwords of many stations over OCPP",
        request=BulkPasswordSerializer,
        responses={202: BegunSerializer, **refusals(400)},
    )
    def post(self, request: Request) -> Response:
        """Begin a change for each; stations out of scope and those with a change under way are passed over."""
        body = BulkPasswordSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data["stations"]
        principal = self.principal
        stations = access.stations(principal).filter(identity__in=wanted)
        begun = passwords.rotate(stations, requested_by=principal.name, user=principal.user)
        self.note("", stations=wanted[:100], begun=len(begun))
        return Response({"begun": len(begun)}, status=202)


class StationAliases(Endpoint):
    """Other spellings of a station's identity."""

    actions: ClassVar = {"POST": "station.security"}
    object_type = "station"

    @extend_schema(
        summary="Know a station by another spelling",
        request=AliasSerializer,
        responses={201: AliasSerializer, **refusals(400, 404, 409)},
        examples=[OpenApiExample("a path that cannot be corrected", value={"alias": "tenant-7/SN000123"})],
    )
    def post(self, request: Request, identity: str) -> Response:
        """What it writes behind `/ocpp/`, percent-decoded."""
        station = _station(self, identity)
        body = AliasSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        self.note(identity, **body.validated_data)
        made = aliases.add(station, by=self.principal.name, **body.validated_data)
        return Response(AliasSerializer(made).data, status=201)


class StationAliasDetail(Endpoint):
    """One spelling."""

    actions: ClassVar = {"DELETE": "station.security"}
    object_type = "station"

    @extend_schema(summary="Forget a spelling of a station", responses={204: None, **refusals(404)})
    def delete(self, request: Request, identity: str, item_id: str) -> Response:
        """The station is known by it no more."""
        alias = get_object_or_404(_station(self, identity).aliases, pk=item_id)
        self.note(identity, alias=alias.alias)
        aliases.remove(alias)
        return Response(status=204)


def _station(endpoint: Endpoint, identity: str) -> ChargingStation:
    station: ChargingStation = get_object_or_404(access.stations(endpoint.principal), identity=identity)
    return station
