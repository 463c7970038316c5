"""/certificates/, /root-certificates/, /certificate-authority/ and what lies under a station's address."""

from typing import Any, ClassVar

import django_filters
from django.db.models import Count, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import refusals
from cpo.api.serializers.certificates import (
    AuthorityCertificateSerializer,
    InstalledCertificateSerializer,
    InstalledDeleteSerializer,
    InstalledReadSerializer,
    RenewSerializer,
    RevokeSerializer,
    RootCertificateSerializer,
    RootDeleteSerializer,
    RootInstallSerializer,
    RootWriteSerializer,
    StationCertificateSerializer,
)
from cpo.api.serializers.commands import CommandSerializer
from stations.models import (
    AuthorityCertificate,
    ChargingStation,
    InstalledCertificate,
    RootCertificate,
    StationCertificate,
)
from stations.services import certificates, installed_certificates, root_certificates

RELATED = ("station__location__operator",)


class CertificateFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    station = django_filters.CharFilter("station__identity", help_text="Identity of the station.")
    state = django_filters.ChoiceFilter(choices=StationCertificate.State.choices)
    use = django_filters.CharFilter("use")
    ends_before = django_filters.IsoDateTimeFilter("not_after", lookup_expr="lt")


class CertificateList(ListEndpoint):
    """All certificates of stations in scope."""

    queryset = StationCertificate.objects.none()
    serializer_class = StationCertificateSerializer
    filterset_class = CertificateFilter

    def get_queryset(self) -> QuerySet[StationCertificate]:
        """Give the certificates of stations in scope."""
        return access.station_certificates(self.principal).select_related("station")

    @extend_schema(
        summary="List certificates of stations",
        responses={200: StationCertificateSerializer(many=True), **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class CertificateDetail(Endpoint):
    """One certificate of a station."""

    @extend_schema(
        summary="Show a certificate", responses={200: StationCertificateSerializer, **refusals(404)}
    )
    def get(self, request: Request, certificate_id: str) -> Response:
        """Show what became of it."""
        rows = access.station_certificates(self.principal).select_related("station")
        row = get_object_or_404(rows, pk=certificate_id)
        return Response(StationCertificateSerializer(row).data)


class CertificateRetry(Endpoint):
    """Another try of what did not come about."""

    actions: ClassVar = {"POST": "command.safe"}
    object_type = "certificate"

    @extend_schema(
        summary="Try a certificate again",
        request=None,
        responses={202: StationCertificateSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, certificate_id: str) -> Response:
        """Send an issued one once more, or ask the authority once more; 409 when there is nothing to try."""
        row = _certificate(self, certificate_id)
        self.note(certificate_id, station=row.station.identity)
        row = certificates.send_again(row) if row.chain else certificates.try_again(row)
        return Response(StationCertificateSerializer(row).data, status=202)


class CertificateRevoke(Endpoint):
    """The revocation of a certificate."""

    actions: ClassVar = {"POST": "certificate.revoke"}
    object_type = "certificate"

    @extend_schema(
        summary="Revoke a certificate",
        request=RevokeSerializer,
        responses={200: StationCertificateSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, certificate_id: str) -> Response:
        """It opens no connection from now on; that cannot be taken back. Open connections stay."""
        row = _certificate(self, certificate_id)
        body = RevokeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        self.note(certificate_id, station=row.station.identity, reason=asked["reason"])
        row = certificates.revoke(
            row, reason=asked["reason"], by=self.principal.name, confirmed=asked["confirmed"]
        )
        return Response(StationCertificateSerializer(row).data)


class StationCertificates(ListEndpoint):
    """The certificates of one station, and the wish for a new one."""

    actions: ClassVar = {"GET": "view", "POST": "command.safe"}
    object_type = "station"
    queryset = StationCertificate.objects.none()
    serializer_class = StationCertificateSerializer

    def get_queryset(self) -> QuerySet[StationCertificate]:
        """Give the station's certificates; 404 when it is out of scope."""
        station = _station(self, self.kwargs["identity"])
        return StationCertificate.objects.filter(station=station).select_related("station")

    @extend_schema(
        summary="List a station's own certificates",
        responses={200: StationCertificateSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """Newest first."""
        return super().get(request)

    @extend_schema(
        summary="Ask a station for a new certificate request",
        request=RenewSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Queue the request and answer 202; its certificate then appears under this address."""
        self.note(identity)
        station = _station(self, identity)
        body = RenewSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        command = certificates.renew(station, use=body.validated_data["use"], **_options(self, body))
        self.note(identity, use=body.validated_data["use"], command=command.uid)
        return Response(CommandSerializer(command).data, status=202)


class StationInstalledCertificates(ListEndpoint):
    """The roots and chains that one station reported."""

    actions: ClassVar = {"GET": "view", "POST": "command.dangerous"}
    object_type = "station"
    queryset = InstalledCertificate.objects.none()
    serializer_class = InstalledCertificateSerializer

    def get_queryset(self) -> QuerySet[InstalledCertificate]:
        """Give what the station reported; 404 when it is out of scope."""
        station = _station(self, self.kwargs["identity"])
        return InstalledCertificate.objects.filter(station=station).select_related("station", "root")

    @extend_schema(
        summary="List the certificates installed in a station",
        responses={200: InstalledCertificateSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """As it reported them last."""
        return super().get(request)

    @extend_schema(
        summary="Install a root in a station",
        request=RootInstallSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Queue the installation and answer 202; what the station took appears under this address."""
        self.note(identity)
        station = _station(self, identity)
        body = RootInstallSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        root = RootCertificate.objects.filter(pk=body.validated_data["root_certificate"]).first()
        if root is None:
            raise ValidationError({"root_certificate": ["There is no such root."]})
        command = installed_certificates.install(station, root=root, **_options(self, body))
        self.note(identity, root=root.pk, command=command.uid)
        return Response(CommandSerializer(command).data, status=202)


class StationInstalledCertificatesRead(Endpoint):
    """A fresh look at what is installed."""

    actions: ClassVar = {"POST": "command.safe"}
    object_type = "station"

    @extend_schema(
        summary="Ask a station which certificates are installed",
        request=InstalledReadSerializer,
        responses={202: CommandSerializer(many=True), **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Queue one question per use and answer 202."""
        self.note(identity)
        station = _station(self, identity)
        body = InstalledReadSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        asked = installed_certificates.read(
            station, uses=body.validated_data.get("uses"), **_options(self, body)
        )
        self.note(identity, commands=[command.uid for command in asked])
        return Response(CommandSerializer(asked, many=True).data, status=202)


class StationInstalledCertificate(Endpoint):
    """One certificate installed in a station."""

    actions: ClassVar = {"DELETE": "command.dangerous"}
    object_type = "station"

    @extend_schema(
        summary="Delete a root from a station",
        request=InstalledDeleteSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def delete(self, request: Request, identity: str, certificate_id: str) -> Response:
        """Queue the deletion and answer 202; 409 for the last root of its use unless `confirmed`."""
        self.note(identity)
        rows = InstalledCertificate.objects.filter(station=_station(self, identity)).select_related("station")
        row = get_object_or_404(rows, pk=certificate_id)
        body = InstalledDeleteSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        command = installed_certificates.delete(
            row, confirmed=body.validated_data["confirmed"], **_options(self, body)
        )
        self.note(identity, use=row.use, serial_number=row.serial_number, command=command.uid)
        return Response(CommandSerializer(command).data, status=202)


class RootCertificateList(ListEndpoint):
    """The roots that we know."""

    actions: ClassVar = {"GET": "view", "POST": "root.write"}
    object_type = "root"
    queryset = RootCertificate.objects.none()
    serializer_class = RootCertificateSerializer

    def get_queryset(self) -> QuerySet[RootCertificate]:
        """Give all of them: they are public."""
        return _roots()

    @extend_schema(
        summary="List roots", responses={200: RootCertificateSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add a root",
        request=RootWriteSerializer,
        responses={201: RootCertificateSerializer, **refusals(400)},
    )
    def post(self, request: Request) -> Response:
        """Know a root from now on; one that is known already gets the new name and trust."""
        body = RootWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        root = root_certificates.add(
            asked["certificate"],
            use=asked["use"],
            name=asked["name"],
            is_trusted=asked["is_trusted"],
            by=self.principal.name,
        )
        self.note(root.pk, use=root.use, subject=root.subject, is_trusted=root.is_trusted)
        return Response(RootCertificateSerializer(_roots().get(pk=root.pk)).data, status=201)


class RootCertificateDetail(Endpoint):
    """One root."""

    actions: ClassVar = {"GET": "view", "DELETE": "root.write"}
    object_type = "root"

    @extend_schema(summary="Show a root", responses={200: RootCertificateSerializer, **refusals(404)})
    def get(self, request: Request, root_id: str) -> Response:
        """Show it."""
        return Response(RootCertificateSerializer(get_object_or_404(_roots(), pk=root_id)).data)

    @extend_schema(
        summary="Forget a root", request=RootDeleteSerializer, responses={204: None, **refusals(404, 409)}
    )
    def delete(self, request: Request, root_id: str) -> Response:
        """Know it no longer; stations keep it. 409 for our own, and for one that is trusted unless `confirmed`."""
        root = get_object_or_404(RootCertificate, pk=root_id)
        body = RootDeleteSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        self.note(root_id, subject=root.subject)
        root_certificates.remove(root, confirmed=body.validated_data["confirmed"])
        return Response(status=204)


class CertificateAuthority(ListEndpoint):
    """The certificates of our own authority."""

    queryset = AuthorityCertificate.objects.none()
    serializer_class = AuthorityCertificateSerializer

    def get_queryset(self) -> QuerySet[AuthorityCertificate]:
        """Give all of them: they are public, their keys are not in them."""
        return AuthorityCertificate.objects.all()

    @extend_schema(
        summary="List our authority's certificates",
        responses={200: AuthorityCertificateSerializer(many=True), **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


def _roots() -> QuerySet[RootCertificate]:
    return RootCertificate.objects.annotate(stations_count=Count("installed__station", distinct=True))


def _station(endpoint: Endpoint, identity: str) -> ChargingStation:
    rows = access.stations(endpoint.principal).select_related("location__operator")
    station: ChargingStation = get_object_or_404(rows, identity=identity)
    return station


def _certificate(endpoint: Endpoint, pk: str) -> StationCertificate:
    rows = access.station_certificates(endpoint.principal).select_related(*RELATED)
    row: StationCertificate = get_object_or_404(rows, pk=pk)
    return row


def _options(endpoint: Endpoint, body: Any) -> dict[str, Any]:
    return {
        "requested_by": endpoint.principal.name,
        "user": endpoint.principal.user,
        "queue_offline": body.validated_data["queue"],
    }
