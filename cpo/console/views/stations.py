"""Stations: the list and a station's page with its tabs."""

from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.dateparse import parse_datetime

from cpo import access
from cpo.access import Principal
from cpo.console import (
    certificates_tab,
    command_forms,
    configuration_tab,
    energy_tab,
    files_tab,
    frames,
    local_list_tab,
    monitoring_tab,
    quirks_tab,
    reservations_tab,
    security_profiles_tab,
    smart_charging_tab,
    verdicts,
    words,
)
from cpo.console.bills import BILLS
from cpo.console.guard import ConsoleRequest, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, Read, render
from stations.models import (
    ChargingSession,
    ChargingStation,
    Connector,
    ConnectorStatus,
    Evse,
    HandshakeRejection,
    StatusChange,
)
from stations.ocpp import outbound, pipeline
from stations.services import availability

HISTORY = 30  # connections and status changes shown
SECURITY_EVENTS = 10  # shown; the security page has all of them
COMMANDS = 25  # commands shown

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
    tab = request.GET.get("tab", "now")
    if tab not in TABS or (tab == "messages" and not access.may(request.principal, "message.view")):
        raise Http404
    connectors, running = _present(found) if found.is_online or tab in NEEDS_PRESENT else ([], [])
    shown = TABS[tab](request, found, connectors, running)
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
        extra=shown.extra,
        station=found,
        zone=found.location.time_zone if found.location else "UTC",
        tab=tab,
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


Running = list[ChargingSession]


class Tab(NamedTuple):
    """What a tab shows: its live parts, and what stands still beside them."""

    parts: dict[str, Part]
    extra: Read = dict


def _now(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    places = {(connector.evse_id, connector.number) for connector in connectors}
    by_place = {_place(session, places): session for session in running}
    pairs = [(connector, by_place.get((connector.evse_id, connector.number))) for connector in connectors]
    return Tab(
        {
            "connectors": Part("console/_station_connectors.html", lambda: {"pairs": pairs}),
            "charts": Part("console/_station_charts.html", dict),
            "recent": Part("console/_station_recent.html", lambda: {"recent": _recent(found)}),
        }
    )


def _place(session: ChargingSession, places: set[tuple[int, int]]) -> tuple[int, int]:
    """Return the EVSE and connector of a session; the first connector where the station did not say which."""
    evse = session.evse_id or 0
    place = evse, session.connector_number
    return place if place in places else min((known for known in places if known[0] == evse), default=place)


def _recent(found: ChargingStation) -> list[ChargingSession]:
    ended = ChargingSession.objects.ended().filter(station=found).select_related("evse")
    return list(ended.prefetch_related(BILLS).order_by("-id")[:8])


def _messages(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    before = _moment(request.GET.get("before", ""))
    action = request.GET.get("action", "")

    def read() -> dict[str, Any]:
        rows, more = frames.exchanges(found, before=before, action=action)
        return {"exchanges": rows, "more": more, "before": before, "action": action}

    return Tab(
        {"messages": Part("console/_station_messages.html", read)}, lambda: {"actions": known_actions(found)}
    )


def known_actions(found: ChargingStation) -> list[str]:
    """Return the actions by which the log can be filtered."""
    contents = pipeline.CONTENTS[found.ocpp_version or outbound.DEFAULT_VERSION]
    return sorted({*contents.inbound, *contents.outbound})


def _commands(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    version = found.ocpp_version
    available = command_forms.actions(version)
    action = request.GET.get("action", "")
    action = (
        action if action in available else "TriggerMessage" if "TriggerMessage" in available else available[0]
    )

    def read() -> dict[str, Any]:
        recent = access.commands(request.principal).filter(station=found).order_by("-id")
        recent = recent.select_related("remote__session")
        return {"commands": list(recent[:COMMANDS])}

    form = command_form(found, action, connectors, running)(
        initial=command_forms.initial_from(request.GET.dict(), version, action)
    )
    return Tab(
        {
            "commands": Part("console/_station_commands.html", read),
            "wishes": Part(
                "console/_station_wishes.html", lambda: {"wishes": availability.of_station(found)}
            ),
        },
        lambda: {
            "form": form,
            "actions": available,
            "action": action,
            "action_words": command_forms.words(version, action),
        },
    )


def command_form(
    found: ChargingStation, action: str, connectors: list[Connector], running: Running
) -> type[command_forms.CommandForm]:
    """Return the form of an action with this station's connectors and running sessions as choices."""
    numbers = sorted({connector.evse.number for connector in connectors})
    return command_forms.form_class(
        found.ocpp_version,
        action,
        connectors=[(number, str(number)) for number in numbers],
        plugs=[(number, str(number)) for number in sorted({connector.number for connector in connectors})],
        running=[
            (s.transaction_id, f"{s.transaction_id} · {s.id_token} · connector {s.evse.number}")
            for s in running
        ],
    )


def _configuration(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    wanted = request.GET.get("q", "").strip()[:50]
    return Tab(configuration_tab.parts(found, wanted), configuration_tab.form(request, found))


def _monitoring(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    return Tab(monitoring_tab.parts(found), monitoring_tab.form(request, found))


def _files(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    return Tab(files_tab.parts(request, found), files_tab.form(request, found))


def _history(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    def read() -> dict[str, Any]:
        changes = StatusChange.objects.filter(evse__station=found).select_related("evse")
        return {
            "connections": list(found.connections.order_by("-epoch")[:HISTORY]),
            "rejections": list(
                HandshakeRejection.objects.filter(identity=found.identity).order_by("-last_at")[:10]
            ),
            "security_events": list(found.security_events.order_by("-received_at", "-id")[:SECURITY_EVENTS]),
            "changes": list(changes.order_by("-at", "-id")[:HISTORY]),
        }

    return Tab({"history": Part("console/_station_history.html", read)})


def _quirks(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    return Tab(quirks_tab.parts(found), quirks_tab.form(request, found))


def _reservations(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    return Tab(reservations_tab.parts(request, found), reservations_tab.form(request, found))


def _energy(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    return Tab(energy_tab.parts(found), energy_tab.form())


def _local_list(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    return Tab(local_list_tab.parts(found), local_list_tab.form(request, found))


def _smart_charging(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    return Tab(
        smart_charging_tab.parts(request, found, connectors),
        smart_charging_tab.beside(request, found, connectors, running),
    )


def _certificates(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    return Tab(certificates_tab.parts(request, found), certificates_tab.form(request, found))


def _security(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector], running: Running
) -> Tab:
    return Tab(*security_profiles_tab.tab(found))


NEEDS_PRESENT = frozenset({"now", "commands", "smart-charging"})  # tabs that show connectors and sessions
TABS = {
    "now": _now,
    "messages": _messages,
    "commands": _commands,
    "smart-charging": _smart_charging,
    "configuration": _configuration,
    "monitoring": _monitoring,
    "quirks": _quirks,
    "security": _security,
    "local-list": _local_list,
    "reservations": _reservations,
    "energy": _energy,
    "certificates": _certificates,
    "files": _files,
    "history": _history,
}


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
