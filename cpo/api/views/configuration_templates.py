"""/configuration-templates/ and /configuration-drift/: what stations shall be set to, and where they are not."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import refusals
from cpo.api.serializers.commands import CommandSerializer
from cpo.api.serializers.configuration_templates import (
    DriftSerializer,
    TemplateSerializer,
    TemplateWriteSerializer,
)
from stations.models import ConfigurationTemplate, Variable
from stations.services import configuration_templates
from stations.services.configuration_templates import Value

EXAMPLE = OpenApiExample(
    "readings every minute",
    value={"name": "V2", "model": "V2", "values": [{"name": "MeterValueSampleInterval", "value": "60"}]},
    request_only=True,
)


class _Writing(Endpoint):
    """What adding and replacing share."""

    object_type = "configuration_template"

    def save(self, request: Request, template: ConfigurationTemplate | None) -> ConfigurationTemplate:
        """Check the body and its conditions against the caller's scope, then save."""
        body = TemplateWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        facts = dict(body.validated_data)
        location = self._location(facts.pop("location", None))
        operator = self._operator(facts.pop("operator", None))
        self.note(template.pk if template else facts["name"], name=facts["name"])
        if not access.may_write_template(
            self.principal,
            location_id=location.pk if location else None,
            operator_id=operator.pk if operator else None,
        ):
            raise PermissionDenied("The template would fit stations out of your scope.")
        return configuration_templates.save(
            template,
            location=location,
            operator=operator,
            is_enforced=facts.pop("enforced"),
            values=[Value(**row) for row in facts.pop("values")],
            **facts,
        )

    def _location(self, uid: str | None) -> Any:
        if uid is None:
            return None
        found = access.locations(self.principal).filter(uid=uid).first()
        if found is None:
            raise ValidationError({"location": "There is no such location."})
        return found

    def _operator(self, party: str | None) -> Any:
        if party is None:
            return None
        country_code, _, party_id = party.partition("*")
        rows = access.operators(self.principal)
        found = rows.filter(country_code=country_code.upper(), party_id=party_id.upper()).first()
        if found is None:
            raise ValidationError({"operator": "There is no such operator."})
        return found


class TemplateList(ListEndpoint, _Writing):
    """All templates that may fit a station in scope."""

    actions: ClassVar = {"GET": "view", "POST": "configuration.write"}
    queryset = ConfigurationTemplate.objects.none()
    serializer_class = TemplateSerializer

    def get_queryset(self) -> QuerySet[ConfigurationTemplate]:
        """Give the templates with their values."""
        rows = access.configuration_templates(self.principal).select_related("location", "operator")
        return rows.prefetch_related("values")

    @extend_schema(
        summary="List configuration templates",
        responses={200: TemplateSerializer(many=True), **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add a configuration template",
        request=TemplateWriteSerializer,
        responses={201: TemplateSerializer, **refusals(400)},
        examples=[EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        """Add it; its stations are compared with it within seconds. Nothing is sent by that."""
        return Response(TemplateSerializer(self.save(request, None)).data, status=201)


class TemplateDetail(_Writing):
    """One template."""

    actions: ClassVar = {"GET": "view", "PUT": "configuration.write", "DELETE": "configuration.write"}

    @extend_schema(
        summary="Show a configuration template", responses={200: TemplateSerializer, **refusals(404)}
    )
    def get(self, request: Request, template_id: str) -> Response:
        """Show it with its values."""
        rows = access.configuration_templates(self.principal)
        return Response(TemplateSerializer(get_object_or_404(rows, pk=template_id)).data)

    @extend_schema(
        summary="Replace a configuration template",
        request=TemplateWriteSerializer,
        responses={200: TemplateSerializer, **refusals(400, 404)},
        examples=[EXAMPLE],
    )
    def put(self, request: Request, template_id: str) -> Response:
        """Replace all of it: values that are left out are wished no more."""
        saved = self.save(request, self._writable(template_id))
        return Response(TemplateSerializer(saved).data)

    @extend_schema(summary="Delete a configuration template", responses={204: None, **refusals(404)})
    def delete(self, request: Request, template_id: str) -> Response:
        """Delete it with its wishes; nothing is sent to any station."""
        template = self._writable(template_id)
        self.note(template.pk, name=template.name)
        configuration_templates.delete(template)
        return Response(status=204)

    def _writable(self, template_id: str) -> ConfigurationTemplate:
        return get_object_or_404(access.writable_templates(self.principal), pk=template_id)


class DriftFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    station = django_filters.CharFilter("station__identity")
    key = django_filters.CharFilter("name", "iexact")
    template = django_filters.NumberFilter("template_id")


class DriftList(ListEndpoint):
    """What stations in scope reported otherwise than wished."""

    queryset = Variable.objects.none()
    serializer_class = DriftSerializer
    filterset_class = DriftFilter

    def get_queryset(self) -> QuerySet[Variable]:
        """Give the drifting values in scope."""
        return access.variables(self.principal).filter(is_drifting=True).select_related("station")

    @extend_schema(
        summary="List configuration drift", responses={200: DriftSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class StationAlignment(Endpoint):
    """Bringing one station in line."""

    actions: ClassVar = {"POST": "command.dangerous"}
    object_type = "station"

    @extend_schema(
        summary="Bring a station's configuration in line",
        request=None,
        responses={202: CommandSerializer(many=True), **refusals(404)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Queue a change for every value that drifts; guarded and read-only keys are left out."""
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        sent = configuration_templates.bring_in_line(
            station, requested_by=self.principal.name, user=self.principal.user
        )
        self.note(identity, keys=[command.payload["key"] for command in sent])
        return Response(CommandSerializer(sent, many=True).data, status=202)
