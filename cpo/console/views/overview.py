"""The overview: what is on, what is charging, what came in today, and what needs a human."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Aggregate, CharField, Count, F, Q, Sum, Window
from django.db.models.functions import TruncHour
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cpo import access
from cpo.access import Principal
from cpo.console import words
from cpo.console.guard import ConsoleRequest, page
from cpo.console.parts import Part, render, todo
from cpo.console.templatetags.console import zone_of
from cpo.lib import clock
from roaming.models import Push
from stations.models import ChargingSession, ChargingStation, Connector

ROWS = 8  # running sessions shown
WORRIES = 5  # of one kind shown
LOST = 200  # stations looked at to group them by site
HOURS = 24

# What connectors are good for: name -> tone, word, filter of the stations' list.
SHARES: dict[str, tuple[str, Any, str]] = {
    "free": ("ok", gettext_lazy("Available"), "status=Available"),
    "charging": ("live", gettext_lazy("Charging"), "status=Charging"),
    "use": ("info", gettext_lazy("In use, not charging"), "connection=online"),
    "shut": ("idle", gettext_lazy("Out of service"), "status=Unavailable"),
    "faulted": ("bad", gettext_lazy("Faulted"), "status=Faulted"),
    "unknown": ("idle", gettext_lazy("Unknown"), "status=Unknown"),
    "offline": ("warn", gettext_lazy("At lost stations"), "connection=offline"),
}
SHARE_OF = {
    "Available": "free",
    "Charging": "charging",
    "Unavailable": "shut",
    "Faulted": "faulted",
    "Unknown": "unknown",
}


class MostFrequent(Aggregate):
    """PostgreSQL's mode(): the value that occurs most often."""

    template = "mode() within group (order by %(expressions)s)"
    output_field = CharField()


@dataclass(frozen=True, slots=True)
class Worry:
    """Something that needs a human: what it is, what to do, and where."""

    look: words.Look
    title: str
    next_step: Any
    url: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """Connectors in one state: `left` and `width` in percent of the strip."""

    tone: str
    word: Any
    count: int
    query: str
    left: Decimal
    width: Decimal


@dataclass(frozen=True, slots=True)
class Bar:
    """Energy in one hour of today and of the same day a week ago, in Wh; heights in percent of the highest."""

    hour: int
    today_wh: Decimal
    before_wh: Decimal
    today_percent: int
    before_percent: int

    @property
    def today_top(self) -> int:
        return 100 - self.today_percent

    @property
    def before_top(self) -> int:
        return 100 - self.before_percent


@page()
def overview(request: ConsoleRequest) -> HttpResponse:
    """Show the state of the network at this moment."""
    principal = request.principal

    @cache
    def running() -> list[Any]:
        return _running(principal)

    parts = {
        "now": Part("console/_overview_now.html", lambda: _now(principal, running())),
        "running": Part("console/_overview_running.html", lambda: {"sessions": running()}),
        "worries": Part(
            "console/_overview_worries.html",
            lambda: {"worries": _worries(principal), "todo": todo(principal)},
        ),
    }
    return render(request, "console/overview.html", parts=parts)


def _now(principal: Principal, sessions: list[Any]) -> dict[str, Any]:
    network = access.stations(principal).aggregate(
        total=Count("pk"),
        online=Count("pk", filter=Q(is_online=True)),
        never=Count("pk", filter=Q(epoch=0)),
        zone=MostFrequent(F("location__time_zone")),
    )
    first = sessions[0] if sessions else None
    running = {
        "count": first.all_count if first else 0,
        "power_w": (first.all_power_w if first else None) or 0,
        "energy_wh": (first.all_energy_wh if first else None) or 0,
    }
    zone = zone_of(network["zone"])
    return {
        "network": network,
        "running": running,
        "zone": str(zone),
        "shares": _shares(principal),
        **_today(principal, zone, running),
    }


def _shares(principal: Principal) -> list[Share]:
    """Count connectors by what they are good for now, in the order of `SHARES`; those of lost stations apart."""
    rows = Connector.objects.filter(evse__station__in=access.stations(principal), evse__is_removed=False)
    counted = rows.values_list("status", "evse__station__is_online").annotate(count=Count("pk")).order_by()
    sums: dict[str, int] = defaultdict(int)
    for status, is_online, count in counted:
        sums[SHARE_OF.get(status, "use") if is_online else "offline"] += count
    total = sum(sums.values())
    shares, left = [], Decimal(0)
    for name, (tone, word, query) in SHARES.items():
        if sums[name]:
            width = Decimal(100) * sums[name] / total
            shares.append(Share(tone, word, sums[name], query, round(left, 2), round(width, 2)))
            left += width
    return shares


def _today(principal: Principal, zone: ZoneInfo, running: dict[str, Any]) -> dict[str, Any]:
    """Sum today's CDRs by hour and currency, with the same day of last week beside it; both by the index on the end."""
    local = clock.now().astimezone(zone)
    today = local.replace(hour=0, minute=0, second=0, microsecond=0)
    before = today - timedelta(days=7)
    spans = Q(ended_at__gte=today) | Q(ended_at__gte=before, ended_at__lt=before + timedelta(days=1))
    rows = (
        access.cdrs(principal)
        .filter(spans)
        .annotate(hour=TruncHour("ended_at", tzinfo=zone))
        .values("hour", "currency")
        .annotate(energy_wh=Sum("energy_wh"), net=Sum("total_before_taxes"), count=Count("pk"))
        .order_by()
    )
    energy: dict[bool, dict[int, Decimal]] = {True: defaultdict(Decimal), False: defaultdict(Decimal)}
    revenue: dict[str, Decimal] = defaultdict(Decimal)
    count = 0
    for row in rows:
        is_today = row["hour"] >= today
        energy[is_today][row["hour"].astimezone(zone).hour] += row["energy_wh"]
        if is_today:
            revenue[row["currency"]] += row["net"]
            count += row["count"]
    billed_wh = sum(energy[True].values(), Decimal(0))
    return {
        "energy_today_wh": billed_wh + (running["energy_wh"] or 0),
        "energy_before_wh": sum(energy[False].values(), Decimal(0)),
        "revenue": sorted(revenue.items()),
        "cdr_count": count,
        "bars": _bars(energy[True], energy[False]),
        "hour_now": local.hour,
    }


def _bars(today: dict[int, Decimal], before: dict[int, Decimal]) -> list[Bar]:
    highest = max([*today.values(), *before.values(), Decimal(0)]) or Decimal(1)
    return [
        Bar(
            hour,
            today.get(hour, Decimal(0)),
            before.get(hour, Decimal(0)),
            round(100 * today.get(hour, Decimal(0)) / highest),
            round(100 * before.get(hour, Decimal(0)) / highest),
        )
        for hour in range(HOURS)
    ]


def _running(principal: Principal) -> list[Any]:
    """Read the newest running sessions; each row also holds the sums over all of them, so that one query does."""
    active = access.sessions(principal).filter(status=ChargingSession.Status.ACTIVE)
    summed = active.annotate(
        all_count=Window(Count("pk")),
        all_power_w=Window(Sum("power_w")),
        all_energy_wh=Window(Sum("energy_wh")),
    )
    return list(summed.select_related("station__location", "evse").order_by("-started_at")[:ROWS])


def _worries(principal: Principal) -> list[Worry]:
    """Everything that waits for a human, the worst first."""
    return [*_faulted(principal), *_offline(principal), *_review(principal), *_refused_pushes(principal)]


def _faulted(principal: Principal) -> list[Worry]:
    faulted = Connector.objects.filter(status="Faulted", evse__station__in=access.stations(principal))
    return [
        Worry(
            words.CONNECTOR["Faulted"],
            _("%(station)s, connector %(number)d: %(error)s")
            % {
                "station": connector.evse.station.identity,
                "number": connector.evse.number,
                "error": connector.error_code or _("fault without a code"),
            },
            words.CONNECTOR["Faulted"].next_step,
            reverse("station", args=[connector.evse.station.identity]),
            connector.status_at,
        )
        for connector in faulted.select_related("evse__station").order_by("-status_at")[:WORRIES]
    ]


def _offline(principal: Principal) -> list[Worry]:
    """Give one worry for each site with lost stations: many at once have one cause."""
    lost = access.stations(principal).filter(is_online=False, epoch__gt=0).select_related("location")
    sites: dict[int | None, list[ChargingStation]] = defaultdict(list)
    for station in lost.order_by("-online_changed_at")[:LOST]:
        sites[station.location_id].append(station)
    return [_lost(stations) for stations in list(sites.values())[:WORRIES]]


def _lost(stations: list[ChargingStation]) -> Worry:
    newest = stations[0]
    if len(stations) == 1 or newest.location is None:
        return Worry(
            words.OFFLINE,
            _("%(station)s is offline") % {"station": newest.identity},
            _("Open it: the verdict says why and what to do."),
            reverse("station", args=[newest.identity]),
            newest.online_changed_at,
        )
    return Worry(
        words.OFFLINE,
        _("%(count)d stations at %(site)s are offline")
        % {"count": len(stations), "site": newest.location.name},
        _("Lost together: site power or router, call the site. One by one: open the newest."),
        f"{reverse('stations')}?connection=offline&location={newest.location.uid}",
        newest.online_changed_at,
    )


def _review(principal: Principal) -> list[Worry]:
    items = access.review_items(principal).filter(resolved_at=None).order_by("-raised_at")[:WORRIES]
    return [
        Worry(
            words.Look("alert-triangle", "warn", item.get_kind_display()),
            item.summary,
            words.REVIEW.get(item.kind, ""),
            reverse("review") + f"#item-{item.pk}",
            item.raised_at,
        )
        for item in items
    ]


def _refused_pushes(principal: Principal) -> list[Worry]:
    if not access.may(principal, "partner.view"):
        return []
    stuck = Push.objects.filter(connection__in=access.partners(principal))
    stuck = stuck.filter(Q(state=Push.State.DEAD) | Q(state=Push.State.FAILED, tries__gte=3))
    counted = stuck.values("connection_id", "connection__name").annotate(count=Count("pk")).order_by("-count")
    return [
        Worry(
            words.PUSH["dead"],
            _("%(count)d objects did not reach %(partner)s")
            % {"count": row["count"], "partner": row["connection__name"]},
            _("Read the error in the push queue, agree with the partner, press Retry."),
            reverse("partner", args=[row["connection_id"]]) + "?tab=queue",
        )
        for row in counted[:WORRIES]
    ]
