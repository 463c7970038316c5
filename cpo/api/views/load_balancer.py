"""/sites/{node}/: what a building draws at a fuse is told here, and a past day is replayed."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from cpo import access
from cpo.api.endpoint import Endpoint
from cpo.api.errors import refusals
from stations.models import PowerNode
from stations.services import load_balancer
from stations.services.errors import InvalidPayload


class BuildingMeterSerializer(serializers.Serializer[object]):
    """What the building draws without vehicles, in A on each phase."""

    l1_a = serializers.DecimalField(max_digits=6, decimal_places=1, min_value=Decimal(0))
    l2_a = serializers.DecimalField(max_digits=6, decimal_places=1, min_value=Decimal(0))
    l3_a = serializers.DecimalField(max_digits=6, decimal_places=1, min_value=Decimal(0))
    at = serializers.DateTimeField(required=False)


class ReplayedMomentSerializer(serializers.Serializer[object]):
    """What the balancer would have given at a moment, by outlet, and what would have lacked; A per phase."""

    at_s = serializers.IntegerField()
    given_a = serializers.DictField(child=serializers.DecimalField(max_digits=6, decimal_places=1))
    lacking_a = serializers.DictField(child=serializers.DecimalField(max_digits=6, decimal_places=1))
    is_short = serializers.BooleanField()


class SiteMeter(Endpoint):
    """The meter of the building behind a fuse."""

    actions: ClassVar = {"POST": "location.write"}
    object_type = "power_node"

    @extend_schema(
        summary="Tell what the building draws at a fuse",
        request=BuildingMeterSerializer,
        responses={204: None, **refusals(400, 404)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Keep the reading; the next sweep shares what is left."""
        node = get_object_or_404(PowerNode, uid=uid, location__in=access.locations(self.principal))
        body = BuildingMeterSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        told = body.validated_data
        amps = {phase: told[f"l{phase}_a"] for phase in load_balancer.PHASES}
        try:
            load_balancer.metered(node, amps=amps, at=told.get("at"))
        except InvalidPayload as error:
            raise ValidationError({error.path: [error.message]}) from error
        return Response(status=204)


class SiteSimulation(Endpoint):
    """A past day of a site under the fuses and the rule of today."""

    @extend_schema(
        summary="Replay a past day of a site",
        responses={200: ReplayedMomentSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, uid: str) -> Response:
        """Replay `?day=2026-11-20` (UTC) in steps of five minutes; nothing is sent."""
        node = get_object_or_404(PowerNode, uid=uid, location__in=access.locations(self.principal))
        try:
            day = datetime.combine(date.fromisoformat(request.GET.get("day", "")), time(), tzinfo=UTC)
        except ValueError as error:
            raise ValidationError({"day": ["Write it as 2026-11-20."]}) from error
        found = load_balancer.simulate(node.location, day=day)
        return Response(ReplayedMomentSerializer(found, many=True).data)
