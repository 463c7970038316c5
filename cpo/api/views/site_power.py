"""/sites/: the power tree of a site, what it carries now, the building's meters, past days."""

from datetime import datetime, time
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import Conflict, refusals
from cpo.api.serializers import site_power as forms
from stations.load_balancing import PHASES
from stations.models import Evse, Location, PowerNode
from stations.services import load_balancer, site_building, site_power, site_replay, site_state
from stations.services.errors import InvalidPayload, InvalidSite
from stations.services.site_power import FusePlan, OutletPlan, Plan

PLAN_EXAMPLE = OpenApiExample(
    "a garage below the grid connection",
    value={
        "rule": "fair",
        "fuses": [
            {"name": "Main", "l1_a": 63, "l2_a": 63, "l3_a": 63, "assumed_a": 20},
            {"name": "Garage", "parent": "Main", "l1_a": 32, "l2_a": 32, "l3_a": 32},
        ],
        "outlets": [
            {"station": "ADA-1", "evse": 1, "fuse": "Garage", "rotation": "123"},
            {"station": "ADA-1", "evse": 2, "fuse": "Garage", "rotation": "231", "priority": 1, "safe_a": 6},
        ],
    },
    request_only=True,
)
STORED = ("rotation", "priority", "minimum_a", "maximum_a", "efficiency_percent", "power_factor")


def with_trees(rows: QuerySet[Location]) -> QuerySet[Location]:
    """Give the locations that have a power tree, with whether it is active and how many outlets it has."""
    roots = PowerNode.objects.filter(location=OuterRef("pk"), parent=None)
    return rows.filter(Exists(roots)).annotate(
        is_balanced=Exists(roots.filter(is_active=True)), outlet_count=Count("power_nodes__outlets")
    )


class _Site(Endpoint):
    """What the paths of a site share."""

    object_type = "site"

    def find(self, uid: str) -> Location:
        """Return a site in scope, or raise 404."""
        found: Location = get_object_or_404(access.locations(self.principal), uid=uid)
        return found

    def with_tree(self, uid: str) -> tuple[Location, PowerNode]:
        """Return a site in scope that has a tree, with its grid connection."""
        location = self.find(uid)
        return location, get_object_or_404(PowerNode, location=location, parent=None)


class SiteList(ListEndpoint):
    """Sites with a power tree."""

    queryset = Location.objects.none()
    serializer_class = forms.SiteSerializer
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Location]:
        """Give those in scope."""
        return with_trees(access.locations(self.principal)).select_related("operator")

    @extend_schema(
        summary="List the sites whose load is balanced",
        responses={200: forms.SiteSerializer(many=True), **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class SiteTree(_Site):
    """The power tree of a site; its id is that of the location."""

    actions: ClassVar = {"GET": "view", "PUT": "site_power.write", "DELETE": "site_power.write"}

    @extend_schema(
        summary="Show the power tree of a site",
        responses={200: forms.SitePowerReadSerializer, **refusals(404)},
    )
    def get(self, request: Request, uid: str) -> Response:
        """Show fuses and outlets as they were saved."""
        return self._answer(*self.with_tree(uid))

    @extend_schema(
        summary="Build or replace the power tree of a site",
        request=forms.SitePowerSerializer,
        responses={200: forms.SitePowerReadSerializer, **refusals(400, 404)},
        examples=[PLAN_EXAMPLE],
    )
    def put(self, request: Request, uid: str) -> Response:
        """Replace all of it. Fuses are known by their names; every outlet gets its safe limit at once."""
        location = self.find(uid)
        body = forms.SitePowerSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        plan = self._plan(location, body.validated_data)
        self.note(uid, fuses=[fuse.name for fuse in plan.fuses], outlets=len(plan.outlets))
        try:
            root = site_power.save(location, plan, requested_by=self.principal.name)
        except InvalidSite as error:
            raise ValidationError({path: [text] for path, text in error.faults}) from error
        return self._answer(location, root)

    @extend_schema(summary="Remove the power tree of a site", responses={204: None, **refusals(404)})
    def delete(self, request: Request, uid: str) -> Response:
        """Take all its limits back from the stations: nothing limits them any more."""
        location, _ = self.with_tree(uid)
        site_power.remove(location, requested_by=self.principal.name)
        return Response(status=204)

    def _plan(self, location: Location, told: dict[str, Any]) -> Plan:
        fuses = [
            FusePlan(
                row["name"],
                (row["l1_a"], row["l2_a"], row["l3_a"]),
                row["parent"],
                row["assumed_a"],
                row["meter"],
            )
            for row in told["fuses"]
        ]
        evses = {
            (each.station.identity, each.number): each
            for each in Evse.objects.filter(station__location=location, is_removed=False)
            .select_related("station")
            .prefetch_related("connectors")
        }
        suggested = site_power.suggested(evses.values(), nominal_v=told["voltage_v"])
        outlets = []
        for number, row in enumerate(told["outlets"]):
            evse = evses.get((row["station"], row["evse"]))
            if evse is None:
                raise ValidationError(
                    {f"outlets.{number}.station": ["This site has no such station and EVSE."]}
                )
            facts = {name: row.get(name, getattr(suggested[evse.pk], name)) for name in STORED}
            outlets.append(OutletPlan(evse, row["fuse"], safe_wanted_a=row["safe_a"], **facts))
        return Plan(fuses, outlets, told["rule"], told["voltage_v"])

    def _answer(self, location: Location, root: PowerNode) -> Response:
        plan = site_power.plan_of(location)
        uids = dict(PowerNode.objects.filter(location=location).values_list("name", "uid"))
        fuses = [
            {
                "id": uids[fuse.name], "name": fuse.name, "parent": fuse.parent, "assumed_a": fuse.assumed_a,
                "meter": fuse.meter, **forms.by_phase(dict(zip(PHASES, fuse.limits_a, strict=True))),
            }
            for fuse in plan.fuses
        ]  # fmt: skip
        outlets = [
            {
                "station": each.evse.station.identity, "evse": each.evse.number, "fuse": each.fuse,
                "safe_a": each.safe_wanted_a, **{name: getattr(each, name) for name in STORED},
            }
            for each in plan.outlets
        ]  # fmt: skip
        found = {
            "rule": plan.rule, "voltage_v": plan.voltage_v, "fuses": fuses, "outlets": outlets,
            "active": root.is_active, "warnings": site_power.warnings(location),
        }  # fmt: skip
        return Response(forms.SitePowerReadSerializer(found).data)


class SiteState(_Site):
    """What a site carries now."""

    @extend_schema(
        summary="Show what a site carries now", responses={200: forms.SiteStateSerializer, **refusals(404)}
    )
    def get(self, request: Request, uid: str) -> Response:
        """Show each fuse with its sums, each outlet with its share and what decided on it."""
        location, root = self.with_tree(uid)
        found = {
            "active": root.is_active,
            "balanced_at": root.balanced_at,
            "fuses": site_state.read(location),
        }
        return Response(forms.SiteStateSerializer(found).data)


class SitePause(_Site):
    """Shares of a site, stopped."""

    actions: ClassVar = {"POST": "site_power.write"}

    @extend_schema(
        summary="Pause the balancing of a site", request=None, responses={204: None, **refusals(404, 409)}
    )
    def post(self, request: Request, uid: str) -> Response:
        """Every outlet falls back to its safe limit."""
        location, root = self.with_tree(uid)
        if not root.is_active:
            raise Conflict("It is paused already.")
        site_power.pause(location, requested_by=self.principal.name)
        return Response(status=204)


class SiteResume(_Site):
    """Shares of a site, given again."""

    actions: ClassVar = {"POST": "site_power.write"}

    @extend_schema(
        summary="Resume the balancing of a site", request=None, responses={204: None, **refusals(404, 409)}
    )
    def post(self, request: Request, uid: str) -> Response:
        """Shares are given at once."""
        location, root = self.with_tree(uid)
        if root.is_active:
            raise Conflict("It is not paused.")
        site_power.resume(location)
        return Response(status=204)


class SiteSafe(_Site):
    """Safe limits of a site."""

    actions: ClassVar = {"POST": "site_power.write"}

    @extend_schema(
        summary="Lay the safe limits of a site again", request=None, responses={204: None, **refusals(404)}
    )
    def post(self, request: Request, uid: str) -> Response:
        """Reckon them anew and send those that are not where they should be."""
        location, _ = self.with_tree(uid)
        load_balancer.install_safe(location, requested_by=self.principal.name)
        return Response(status=204)


class SiteMeter(_Site):
    """The meter at a fuse of a site."""

    actions: ClassVar = {"POST": "site_power.meter"}

    @extend_schema(
        summary="Tell what a building draws at a fuse",
        request=forms.MeterReadingSerializer,
        responses={204: None, **refusals(400, 404)},
    )
    def post(self, request: Request, uid: str, fuse: str) -> Response:
        """Keep the reading; within seconds the site is shared anew. One that is older than the last is left out."""
        node = get_object_or_404(PowerNode, location=self.find(uid), uid=fuse)
        body = forms.MeterReadingSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        told = body.validated_data
        amps: dict[int, Decimal] = {phase: told[f"l{phase}_a"] for phase in PHASES}
        self.note(uid, fuse=node.name)
        try:
            site_building.metered(node, amps=amps, at=told.get("at"))
        except InvalidPayload as error:
            raise ValidationError({error.path: [error.message]}) from error
        return Response(status=204)


class SiteReplay(_Site):
    """A past day of a site under the fuses and the rule of today."""

    @extend_schema(
        summary="Replay a past day of a site",
        parameters=[forms.ReplayQuerySerializer],
        responses={200: forms.ReplaySerializer, **refusals(400, 404)},
    )
    def get(self, request: Request, uid: str) -> Response:
        """Compare what flowed with what would have flowed; nothing is sent."""
        location, _ = self.with_tree(uid)
        query = forms.ReplayQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        begin = datetime.combine(asked["day"], time(), tzinfo=ZoneInfo(location.time_zone))
        found = site_replay.day(location, begin=begin, step_s=asked["step_s"])
        return Response(forms.ReplaySerializer(_written(found)).data)


def _written(found: site_replay.Day) -> dict[str, Any]:
    return {
        "at": [found.moment(step) for step in found.steps],
        "fuses": [
            {
                "id": node.uid,
                "name": node.name,
                "limit": forms.by_phase(site_building.limits(node)),
                "over_without_a": found.most_over(node, balanced=False),
                "over_with_a": found.most_over(node, balanced=True),
                "without": [forms.by_phase(dict(step.without_a[node.pk])) for step in found.steps],
                "with_balancing": [forms.by_phase(dict(step.with_a[node.pk])) for step in found.steps],
            }
            for node in found.nodes
        ],
        "lacking": [
            {"session": found.sessions[pk].uid, "lacking_wh": value} for pk, value in found.lacking_wh.items()
        ],
    }
