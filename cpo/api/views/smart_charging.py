"""/charging-profiles/ is the library; below /stations/{id}/ is what lies there, and the composite schedules."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import OFFLINE_EXAMPLE, refusals
from cpo.api.serializers import smart_charging as forms
from cpo.api.serializers.commands import CommandSerializer
from cpo.composites import Composite
from stations.charging_profiles import ChargingProfile, Criteria, InvalidProfile, Purpose, RateUnit, from_v2
from stations.models import ChargingStation, InstalledProfile, Operator, ProfileTemplate
from stations.services import capabilities, composite_schedules, profile_templates, smart_charging
from stations.services.errors import UnsuitedProfile

TEMPLATE_EXAMPLE = OpenApiExample(
    "less in the evening",
    value={
        "name": "Evening",
        "kind": "Recurring",
        "recurrency": "Daily",
        "rate_unit": "A",
        "periods": [
            {"start_s": 0, "limit": 32},
            {"start_s": 61200, "limit": 10},
            {"start_s": 75600, "limit": 32},
        ],
    },
    request_only=True,
)


class _Library(Endpoint):
    """What adding and replacing a template share."""

    object_type = "charging_profile"

    def save(self, request: Request, template: ProfileTemplate | None) -> ProfileTemplate:
        """Check the body, then save it."""
        body = forms.ChargingProfileTemplateWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        facts = dict(body.validated_data)
        self.note(template.uid if template else facts["name"], name=facts["name"])
        operator = self._operator(facts.pop("operator", None)) if template is None else template.operator
        facts |= {
            "is_local_time": facts.pop("local_time"),
            "periods": [dict(row) for row in facts["periods"]],
        }
        for name in ("recurrency", "start_at", "duration_s", "min_charging_rate", "valid_from", "valid_to"):
            facts.setdefault(name, "" if name == "recurrency" else None)
        return profile_templates.save(template, operator=operator, **facts)

    def find(self, uid: str) -> ProfileTemplate:
        """Return a template in scope, or raise 404."""
        rows = access.profile_templates(self.principal).select_related("operator")
        found: ProfileTemplate = get_object_or_404(rows, uid=uid)
        return found

    def _operator(self, party: str | None) -> Operator:
        rows = access.operators(self.principal)
        if party is not None:
            country_code, _, party_id = party.partition("*")
            rows = rows.filter(country_code=country_code.upper(), party_id=party_id.upper())
        found = list(rows[:2])
        if len(found) != 1:
            raise ValidationError({"operator": "Name an operator of yours, such as NL*ABC."})
        return found[0]


class ChargingProfileList(ListEndpoint, _Library):
    """The library of charging profiles."""

    actions: ClassVar = {"GET": "view", "POST": "charging_profile.write"}
    queryset = ProfileTemplate.objects.none()
    serializer_class = forms.ChargingProfileTemplateSerializer

    def get_queryset(self) -> QuerySet[ProfileTemplate]:
        """Give the templates in scope."""
        return access.profile_templates(self.principal).select_related("operator")

    @extend_schema(
        summary="List the charging profiles of the library",
        responses={200: forms.ChargingProfileTemplateSerializer(many=True), **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add a charging profile to the library",
        request=forms.ChargingProfileTemplateWriteSerializer,
        responses={201: forms.ChargingProfileTemplateSerializer, **refusals(400)},
        examples=[TEMPLATE_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        """Add it; nothing is sent to any station."""
        return Response(forms.ChargingProfileTemplateSerializer(self.save(request, None)).data, status=201)


class ChargingProfileDetail(_Library):
    """One charging profile of the library."""

    actions: ClassVar = {"GET": "view", "PUT": "charging_profile.write", "DELETE": "charging_profile.write"}

    @extend_schema(
        summary="Show a charging profile of the library",
        responses={200: forms.ChargingProfileTemplateSerializer, **refusals(404)},
    )
    def get(self, request: Request, uid: str) -> Response:
        """Show it with its periods."""
        return Response(forms.ChargingProfileTemplateSerializer(self.find(uid)).data)

    @extend_schema(
        summary="Replace a charging profile of the library",
        request=forms.ChargingProfileTemplateWriteSerializer,
        responses={200: forms.ChargingProfileTemplateSerializer, **refusals(400, 404)},
        examples=[TEMPLATE_EXAMPLE],
    )
    def put(self, request: Request, uid: str) -> Response:
        """Replace all of it; what was installed from it stays as it is."""
        saved = self.save(request, self.find(uid))
        return Response(forms.ChargingProfileTemplateSerializer(saved).data)

    @extend_schema(summary="Delete a charging profile of the library", responses={204: None, **refusals(404)})
    def delete(self, request: Request, uid: str) -> Response:
        """Delete it; what was installed from it stays."""
        template = self.find(uid)
        self.note(uid, name=template.name)
        profile_templates.delete(template)
        return Response(status=204)


class InstalledFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    state = django_filters.ChoiceFilter(choices=InstalledProfile.State.choices)
    evse = django_filters.NumberFilter("evse_number")


class _OnStation(Endpoint):
    object_type = "station"

    def station(self) -> ChargingStation:
        """Return the station of the path, or raise 404."""
        found: ChargingStation = get_object_or_404(
            access.stations(self.principal).select_related("location"), identity=self.kwargs["identity"]
        )
        return found

    @property
    def asked(self) -> dict[str, Any]:
        """Who asks, for the services."""
        return {"requested_by": self.principal.name, "user": self.principal.user}


class StationChargingProfiles(ListEndpoint, _OnStation):
    """The charging profiles of one station."""

    actions: ClassVar = {"GET": "view", "POST": "command.dangerous", "DELETE": "command.dangerous"}
    queryset = InstalledProfile.objects.none()
    serializer_class = forms.InstalledProfileSerializer
    filterset_class = InstalledFilter

    def get_queryset(self) -> QuerySet[InstalledProfile]:
        """Give the station's profiles, those that are over too."""
        return InstalledProfile.objects.filter(station=self.station()).select_related("session", "template")

    @extend_schema(
        summary="List a station's charging profiles",
        responses={200: forms.InstalledProfileSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """Newest first; those that are over too: filter by `state`."""
        return super().get(request)

    @extend_schema(
        summary="Install a charging profile on a station",
        request=forms.InstallSerializer,
        responses={202: forms.InstalledProfileSerializer, **refusals(400, 404, 409)},
        examples=[
            OpenApiExample(
                "limit what runs at EVSE 1",
                value={"purpose": "TxProfile", "evse": 1, "limit_a": 10},
                request_only=True,
            ),
            OFFLINE_EXAMPLE,
        ],
    )
    def post(self, request: Request, identity: str) -> Response:
        """Send it and answer 202: what the station makes of it stands in `state`, look again."""
        self.note(identity)
        station = self.station()
        body = forms.InstallSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row = self._install(station, body.validated_data)
        self.note(identity, profile=row.profile_id, purpose=row.purpose, evse=row.evse_number, id=row.uid)
        return Response(forms.InstalledProfileSerializer(row).data, status=202)

    def _install(self, station: ChargingStation, facts: dict[str, Any]) -> InstalledProfile:
        options = self.asked | {"queue_offline": facts["queue"], "may_fall_back": facts["fall_back"]}
        each = facts["each_transaction"]
        if "template" in facts:
            rows = access.profile_templates(self.principal)
            template = rows.filter(uid=facts["template"]).first()
            if template is None:
                raise ValidationError({"template": ["There is no such charging profile."]})
            return smart_charging.install_template(
                station,
                template=template,
                evse_number=facts["evse"],
                stack_level=facts.get("stack_level"),
                each_transaction=each,
                **options,
            )
        if "profile" in facts:
            wish = _profile(facts["profile"], facts["evse"])
            return smart_charging.install(station, profile=wish, each_transaction=each, **options)
        return smart_charging.install_limit(
            station,
            purpose=Purpose(facts["purpose"]),
            evse_number=facts["evse"],
            amps=facts.get("limit_a"),
            watts=facts.get("limit_w"),
            until=facts.get("until"),
            stack_level=facts.get("stack_level"),
            each_transaction=each,
            **options,
        )

    @extend_schema(
        operation_id="stations_charging_profiles_clear",
        summary="Clear charging profiles of a station",
        parameters=[forms.ClearSerializer],
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def delete(self, request: Request, identity: str) -> Response:
        """Clear what matches all the query parameters, also what others have put there; without any, everything."""
        self.note(identity)
        station = self.station()
        query = forms.ClearSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        facts = query.validated_data
        criteria = Criteria(
            id=facts.get("profile_id"),
            evse=facts.get("evse"),
            purpose=Purpose(facts["purpose"]) if "purpose" in facts else None,
            stack_level=facts.get("stack_level"),
        )
        command = smart_charging.clear_matching(
            station, criteria=criteria, queue_offline=facts["queue"], **self.asked
        )
        self.note(identity, cleared={name: value for name, value in facts.items() if name != "queue"})
        return Response(CommandSerializer(command).data, status=202)


class StationChargingProfile(_OnStation):
    """One charging profile of a station."""

    actions: ClassVar = {"GET": "view", "DELETE": "command.dangerous"}

    @extend_schema(
        summary="Show a charging profile of a station",
        responses={200: forms.InstalledProfileSerializer, **refusals(404)},
    )
    def get(self, request: Request, identity: str, uid: str) -> Response:
        """Show what was wished, what was sent and what lies there."""
        return Response(forms.InstalledProfileSerializer(self._find(uid)).data)

    @extend_schema(
        summary="Clear one charging profile of a station",
        responses={202: forms.InstalledProfileSerializer, **refusals(404, 409)},
    )
    def delete(self, request: Request, identity: str, uid: str) -> Response:
        """Take it back; a station that is offline is told once it is back."""
        row = self._find(uid)
        self.note(identity, profile=row.profile_id, id=row.uid)
        smart_charging.clear(row, keep_offline=True, **self.asked)
        row.refresh_from_db()
        return Response(forms.InstalledProfileSerializer(row).data, status=202)

    def _find(self, uid: str) -> InstalledProfile:
        rows = InstalledProfile.objects.filter(station=self.station()).select_related("session", "template")
        found: InstalledProfile = get_object_or_404(rows, uid=uid)
        return found


class StationCompositeSchedule(_OnStation):
    """The composite schedules of one EVSE: ours and the station's."""

    actions: ClassVar = {"GET": "view", "POST": "command.safe"}

    @extend_schema(
        summary="Show the composite schedules of an EVSE",
        parameters=[forms.CompositeQuerySerializer],
        responses={200: forms.CompositeSerializer, **refusals(400, 404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """What we compute from what lies there, what the station told last, and where they differ."""
        query = forms.CompositeQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        facts = query.validated_data
        found = Composite.read(
            self.station(),
            evse_number=facts["evse"],
            duration_s=facts["duration_s"],
            unit=RateUnit(facts["unit"]),
        )
        return Response(forms.CompositeSerializer(found).data)

    @extend_schema(
        summary="Ask a station for its composite schedule",
        request=forms.CompositeAskSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Queue GetCompositeSchedule and answer 202; read the answer with GET."""
        self.note(identity)
        station = self.station()
        body = forms.CompositeAskSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        facts = body.validated_data
        command = composite_schedules.ask(
            station,
            evse_number=facts["evse"],
            duration_s=facts["duration_s"],
            unit=RateUnit(facts["unit"]),
            queue_offline=facts["queue"],
            **self.asked,
        )
        self.note(identity, evse=facts["evse"], id=command.uid)
        return Response(CommandSerializer(command).data, status=202)


class StationChargingCapabilities(_OnStation):
    """What is known of a station's smart charging."""

    actions: ClassVar = {"GET": "view", "DELETE": "station.write"}

    @extend_schema(
        summary="Show what a station can of smart charging",
        responses={200: forms.CapabilitySerializer, **refusals(404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """What it says, what its make is known for, what its refusals taught us."""
        return Response(forms.CapabilitySerializer(capabilities.of(self.station())).data)

    @extend_schema(
        summary="Forget what a station's refusals taught us", responses={204: None, **refusals(404)}
    )
    def delete(self, request: Request, identity: str) -> Response:
        """Forget it all: the next profile is tried in the best way again."""
        self.note(identity)
        capabilities.forget(self.station())
        return Response(status=204)


def _profile(wire: dict[str, Any], evse: int) -> ChargingProfile:
    try:
        return from_v2({"id": 1, **wire}, evse=evse)
    except InvalidProfile as error:
        raise UnsuitedProfile(f"profile.{error.path}", error.message) from error
