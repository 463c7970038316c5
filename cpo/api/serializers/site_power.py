"""The power of a site: its fuses, outlets, what they carry, a past day. Currents in A on each phase."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from cpo.api.serializers.fields import ExactNumber, Instant
from stations.load_balancing import PHASES
from stations.models import Location, PowerNode
from stations.services.site_state import FuseState, OutletState

ROTATION_HELP = "Phases of the grid behind L1, L2, L3 of the outlet: '123', '231'; '2' for one phase."


class PhasesSerializer(serializers.Serializer[Any]):
    """A on each phase."""

    l1_a = ExactNumber(min_value=Decimal(0), max_digits=7, decimal_places=1)
    l2_a = ExactNumber(min_value=Decimal(0), max_digits=7, decimal_places=1)
    l3_a = ExactNumber(min_value=Decimal(0), max_digits=7, decimal_places=1)


class SiteSerializer(serializers.ModelSerializer[Location]):
    """A site with a power tree."""

    id = serializers.CharField(source="uid")
    operator = serializers.CharField(source="operator.__str__", help_text="'NL*ABC': whose it is.")
    active = serializers.BooleanField(source="is_balanced", help_text="False: paused; safe limits hold.")
    outlets = serializers.IntegerField(source="outlet_count")

    class Meta:
        model = Location
        fields = ("id", "operator", "name", "active", "outlets")


class SiteFuseSerializer(PhasesSerializer):
    """A fuse: what may flow on each phase, and what hangs above it."""

    id = serializers.CharField(read_only=True)
    name = serializers.CharField(max_length=100)
    parent = serializers.CharField(  # type: ignore[assignment]
        max_length=100, required=False, default="", allow_blank=True,
        help_text="The name of the fuse above; empty for the grid connection.",
    )  # fmt: skip
    meter = serializers.ChoiceField(
        choices=PowerNode.Meter.choices, required=False, default=PowerNode.Meter.BUILDING,
        help_text="What its meter tells: the building alone, or all that flows.",
    )  # fmt: skip
    assumed_a = ExactNumber(
        min_value=Decimal(0), max_digits=7, decimal_places=1, required=False, default=None, allow_null=True,
        help_text="What the building is taken to draw on each phase while no meter tells.",
    )  # fmt: skip


class SiteOutletSerializer(serializers.Serializer[Any]):
    """An EVSE on a fuse."""

    station = serializers.CharField(max_length=48)
    evse = serializers.IntegerField(min_value=1, max_value=100_000)
    fuse = serializers.CharField(max_length=100, help_text="The fuse's name.")
    rotation = serializers.CharField(max_length=3, required=False, help_text=ROTATION_HELP)
    priority = serializers.IntegerField(
        min_value=-9, max_value=9, required=False, help_text="The higher comes first."
    )
    minimum_a = ExactNumber(min_value=Decimal(0), max_digits=5, decimal_places=1, required=False)
    maximum_a = ExactNumber(min_value=Decimal(0), max_digits=5, decimal_places=1, required=False)
    safe_a = ExactNumber(
        min_value=Decimal(0), max_digits=5, decimal_places=1, required=False, default=None, allow_null=True,
        help_text="What it may draw while the platform is away; null: an even share.",
    )  # fmt: skip
    efficiency_percent = ExactNumber(max_digits=4, decimal_places=1, required=False, help_text="DC only.")
    power_factor = ExactNumber(max_digits=3, decimal_places=2, required=False, help_text="DC only.")


class SitePowerSerializer(serializers.Serializer[Any]):
    """A whole power tree; what an outlet leaves out is taken from what is known of it."""

    rule = serializers.ChoiceField(
        choices=PowerNode.Rule.choices, required=False, default=PowerNode.Rule.FAIR
    )
    voltage_v = ExactNumber(
        max_digits=5, decimal_places=1, required=False, default=Decimal(230), help_text="Phase to neutral."
    )
    fuses = SiteFuseSerializer(many=True)
    outlets = SiteOutletSerializer(many=True, required=False, default=list)


class SitePowerReadSerializer(SitePowerSerializer):
    """A power tree as it stands, with what deserves a look."""

    active = serializers.BooleanField(help_text="False: paused; safe limits hold.")
    warnings = serializers.ListField(child=serializers.CharField())


class SiteOutletStateSerializer(serializers.Serializer[OutletState]):
    """An outlet now."""

    station = serializers.CharField(source="outlet.evse.station.identity")
    evse = serializers.IntegerField(source="outlet.evse.number")
    online = serializers.BooleanField(source="outlet.evse.station.is_online")
    session = serializers.CharField(source="session.uid", allow_null=True, default=None)
    share_a = ExactNumber(source="outlet.given_a", allow_null=True, help_text="What it may draw now.")
    drawn_a = ExactNumber(source="outlet.drawn_a", allow_null=True)
    phases_in_use = serializers.CharField(
        source="outlet.used", help_text="Its own: '1', '123'; '' not known."
    )
    share_until = Instant(source="outlet.until", allow_null=True, help_text="Then the safe limit holds.")
    share_state = serializers.CharField(help_text="How far the share got to the station.")
    safe_a = ExactNumber(source="outlet.safe_a", allow_null=True)
    safe_state = serializers.CharField(help_text="How far the safe limit got to the station.")
    why = serializers.CharField(source="outlet.why.why", default="", help_text="What decided on the share.")


class SiteFuseStateSerializer(serializers.Serializer[FuseState]):
    """A fuse now."""

    id = serializers.CharField(source="node.uid")
    name = serializers.CharField(source="node.name")
    metered_at = Instant(source="node.metered_at", allow_null=True)
    limit = serializers.SerializerMethodField()
    building = serializers.SerializerMethodField()
    drawn = serializers.SerializerMethodField()
    given = serializers.SerializerMethodField()
    outlets = SiteOutletStateSerializer(many=True)

    def get_limit(self, state: FuseState) -> dict[str, Decimal]:
        """Give what may flow."""
        return by_phase(state.limit_a)

    def get_building(self, state: FuseState) -> dict[str, Decimal]:
        """Give what the building draws or is taken to draw."""
        return by_phase(state.building_a)

    def get_drawn(self, state: FuseState) -> dict[str, Decimal]:
        """Give what vehicles drew last."""
        return by_phase(state.drawn_a)

    def get_given(self, state: FuseState) -> dict[str, Decimal]:
        """Give what vehicles may draw, those that cannot be told included."""
        return by_phase(state.given_a)


class SiteStateSerializer(serializers.Serializer[Any]):
    """A site now."""

    active = serializers.BooleanField()
    balanced_at = Instant(allow_null=True)
    fuses = SiteFuseStateSerializer(many=True)


class MeterReadingSerializer(PhasesSerializer):
    """What flows at a fuse, as its `meter` says with or without vehicles."""

    at = Instant(required=False)


class ReplayQuerySerializer(serializers.Serializer[Any]):
    """Which day, and how fine."""

    day = serializers.DateField(help_text="By the site's clock.")
    step_s = serializers.ChoiceField(choices=[60, 300, 900], required=False, default=300)


class ReplayedFuseSerializer(serializers.Serializer[Any]):
    """A fuse over the day."""

    id = serializers.CharField()
    name = serializers.CharField()
    limit = PhasesSerializer()
    over_without_a = ExactNumber(help_text="By how much a phase was above its limit at most.")
    over_with_a = ExactNumber()
    without = PhasesSerializer(many=True, help_text="As it was, one for each of `at`.")
    with_balancing = PhasesSerializer(many=True)


class ReplayedSessionSerializer(serializers.Serializer[Any]):
    """A session that would have lacked energy."""

    session = serializers.CharField()
    lacking_wh = ExactNumber()


class ReplaySerializer(serializers.Serializer[Any]):
    """A past day as it was and as it would have been."""

    at = serializers.ListField(
        child=Instant(), help_text="Begin of each step in which anybody was plugged in."
    )
    fuses = ReplayedFuseSerializer(many=True)
    lacking = ReplayedSessionSerializer(many=True)


def by_phase(amps: dict[int, Decimal]) -> dict[str, Decimal]:
    """Write A on each phase."""
    return {f"l{phase}_a": amps[phase] for phase in PHASES}
