"""Stations: the list and a station's page with its tabs."""

from collections import defaultdict
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404

from cpo import access
from cpo.access import Principal
from cpo.console import station_tabs, verdicts, words
from cpo.console.guard import ConsoleRequest, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.tab import Seen
from stations.models import ChargingSession, ChargingStation, Connector, ConnectorStatus, Evse
from stations.ocpp import pipeline
from stations.services import availability

_CONNECTORS = Prefetch("evses__connectors", queryset=Connector.objects.order_by("number"))
_EVSES = Prefetch("evses", queryset=Evse.objects.filter(is_removed=False).order_by("number"))


@page()
def stations(request: ConsoleRequest) -> HttpResponse:
    """List stations, by identity, with search and filters."""
    principal = request.principal
    return render(
        request,
        "console/stations.html",
        parts={"rows": Part("console/_stations.html", lambda: _rows(request))},
        locations=list(access.locations(principal).order_by("name").values("uid", "name")[:500]),
        statuses=[(value, words.CONNECTOR[value].word) for value in ConnectorStatus.values],
        connections=[
            ("online", words.ONLINE.word),
            ("offline", words.OFFLINE.word),
            ("never", words.NEVER.word),
        ],
        versions=list(pipeline.CONTENTS),
        filters=request.GET,
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = _filtered(access.stations(request.principal), request.GET.dict())
    found = found.select_related("location").prefetch_related(_EVSES, _CONNECTORS)
    shown = page_of(found, by=("identity",), after=request.GET.get("after", ""), newest_first=False)
    running: dict[int, list[ChargingSession]] = defaultdict(list)
    for session in ChargingSession.objects.active().filter(station__in=[s.pk for s in shown.rows]):
        running[session.station_id].append(session)
    return {"stations": shown, "running": running, "filters": request.GET}


def _filtered(rows: QuerySet[ChargingStation], query: dict[str, str]) -> QuerySet[ChargingStation]:
    text = query.get("q", "").strip()
    if text:
        fields = ("identity", "name", "serial_number", "vendor", "model", "location__name", "location__city")
        match = Q()
        for name in fields:
            match |= Q(**{f"{name}__icontains": text})
        rows = rows.filter(match)
    if query.get("location"):
        rows = rows.filter(location__uid=query["location"])
    if query.get("status"):
        here = Connector.objects.filter(evse__station=OuterRef("pk"), status=query["status"])
        rows = rows.filter(Exists(here))
    if query.get("version"):
        rows = rows.filter(ocpp_version=query["version"])
    match query.get("connection"):
        case "online":
            rows = rows.filter(is_online=True)
        case "offline":
            rows = rows.filter(is_online=False, epoch__gt=0)
        case "never":
            rows = rows.filter(epoch=0)
    return rows


def find(principal: Principal, identity: str) -> ChargingStation:
    """Return the station, or raise 404 when it is not in scope."""
    station: ChargingStation = get_object_or_404(
        access.stations(principal).select_related("location"), identity=identity
    )
    return station


@page()
def station(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Show one station: its verdict, then one of its tabs."""
    found = find(request.principal, identity)
    tab = station_tabs.find(request.principal, request.GET.get("tab", station_tabs.FIRST))
    if tab is None:
        raise Http404
    connectors, running = _present(found) if found.is_online or tab.sees_connectors else ([], [])
    shown = tab.show(Seen(request, found, connectors, running))
    return render(
        request,
        "console/station.html",
        parts={
            "verdict": Part(
                "console/_station_verdict.html",
                lambda: {"verdict": _verdict(request.principal, found, connectors, len(running))},
            ),
            **shown.parts,
        },
        extra=shown.beside,
        station=found,
        zone=found.location.time_zone if found.location else "UTC",
        tab=tab,
        sections=station_tabs.navigation(request.principal, found, tab),
        connectors=connectors,
        running=running,
    )


def _present(found: ChargingStation) -> tuple[list[Connector], list[ChargingSession]]:
    """Read the station's connectors and running sessions; the verdict about one that is offline needs neither."""
    connectors = Connector.objects.filter(evse__station=found, evse__is_removed=False).select_related("evse")
    connectors = availability.with_wishes(connectors)
    running = ChargingSession.objects.active().filter(station=found).select_related("evse")
    return list(connectors.order_by("evse__number", "number")), list(running.order_by("evse__number"))


def _verdict(
    principal: Principal, found: ChargingStation, connectors: list[Connector], charging: int
) -> verdicts.Verdict:
    return verdicts.judge(verdicts.read(principal, found, connectors=connectors, charging=charging))
