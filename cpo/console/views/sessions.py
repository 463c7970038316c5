"""Charging sessions: the list, one session with chart and timeline, its closing by hand."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from billing.models import BillingJob
from cpo import access
from cpo.console import words
from cpo.console.bills import BILLS, bills, newest
from cpo.console.forms import CloseForm
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.start_tab import LimitsForm, of_limit
from cpo.console.templatetags.console import kwh
from cpo.lib import clock
from roaming.models import Push
from stations import ports
from stations.models import ChargingSession, Command, SignedReading, StatusChange
from stations.services import metering
from stations.services import sessions as session_service
from stations.services.errors import NotOpen

POINTS = 4000  # of a chart; of a longer session every n-th is drawn
READINGS = 200  # rows of the table, the newest
AROUND = timedelta(minutes=2)  # what happened this shortly before or after belongs to the timeline


@page()
def sessions(request: ConsoleRequest) -> HttpResponse:
    """List sessions, the newest first."""
    return render(
        request,
        "console/sessions.html",
        parts={"rows": Part("console/_sessions.html", lambda: _rows(request))},
        filters=request.GET,
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = _filtered(access.sessions(request.principal), request.GET.dict(), request)
    found = found.select_related("station__location", "evse", "token").prefetch_related(BILLS)
    return {
        "sessions": page_of(found, by=("id",), after=request.GET.get("after", "")),
        "filters": request.GET,
    }


def _filtered(
    rows: QuerySet[ChargingSession], query: dict[str, str], request: ConsoleRequest
) -> QuerySet[ChargingSession]:
    match query.get("state"):
        case "active":
            rows = rows.filter(status=ChargingSession.Status.ACTIVE)
        case "ended":
            rows = rows.filter(status=ChargingSession.Status.ENDED)
        case "review":
            rows = rows.filter(needs_review=True)
        case "unbilled":
            rows = rows.filter(status=ChargingSession.Status.ENDED, cdrs=None)
    text = query.get("q", "").strip()
    if text:
        stations = access.stations(request.principal).filter(
            Q(identity__icontains=text) | Q(name__icontains=text)
        )
        spellings = {text, text.upper(), text.lower()}
        rows = rows.filter(
            Q(station__in=list(stations.values_list("pk", flat=True)[:500]))
            | Q(id_token__in=spellings)
            | Q(transaction_id=text)
            | Q(uid=text)
        )
    return rows


def _find(request: ConsoleRequest, uid: str) -> ChargingSession:
    rows = access.sessions(request.principal)
    rows = rows.select_related(
        "station__location__operator",
        "evse",
        "token",
        "billing_job",
        "bidirectional",
        "station_cost",
        "limit",
    )
    rows = rows.annotate(has_signed=Exists(SignedReading.objects.filter(session=OuterRef("pk"))))
    rows = rows.prefetch_related(BILLS)
    found: ChargingSession = get_object_or_404(rows, uid=uid)
    return found


@page()
def session(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Show one session: what it is, what it costs, how its power ran, what happened when."""
    found = _find(request, uid)
    zone = found.station.location.time_zone if found.station.location else "UTC"
    cdr = newest(found)
    return render(
        request,
        "console/session.html",
        parts={
            "head": Part("console/_session_head.html", dict),
            "facts": Part(
                "console/_session_facts.html", lambda: {"seconds": _seconds(found), "flags": _flags(found)}
            ),
            "cost": Part(
                "console/_session_cost.html",
                lambda: {"cost": None if cdr else ports.running_cost(found)},
                on_demand=cdr is None,
            ),
            "timeline": Part("console/_session_timeline.html", lambda: {"timeline": _timeline(found)}),
            "readings": Part(
                "console/_session_readings.html", lambda: {"readings": _readings(found)}, on_demand=True
            ),
        },
        session=found,
        station=found.station,
        cdr=cdr,
        zone=zone,
        held=_open_job(found),
        limits_form=_limits_form(found),
    )


def _limits_form(found: ChargingSession) -> LimitsForm | None:
    if found.status == ChargingSession.Status.ENDED:
        return None
    return LimitsForm(initial=of_limit(getattr(found, "limit", None)), auto_id="limit-%s")


def _open_job(found: ChargingSession) -> BillingJob | None:
    """Return why an ended session could not be billed yet."""
    job: BillingJob | None = getattr(found, "billing_job", None)
    return job if job is not None and job.state != BillingJob.State.DONE else None


def _seconds(found: ChargingSession) -> int:
    return int(((found.ended_at or clock.now()) - found.started_at).total_seconds())


def _flags(found: ChargingSession) -> list[tuple[str, Any]]:
    return [(word, words.FLAG.get(word.partition(":")[0], "")) for word in found.flags]


@dataclass(frozen=True, slots=True)
class Reading:
    """A row of the table: time, W, Wh since the start, percent."""

    at: datetime
    power_w: Decimal | None
    energy_wh: Decimal | None
    soc_percent: Decimal | None


def _readings(found: ChargingSession) -> list[Reading]:
    return [Reading(*point) for point in metering.power_curve(found)][-READINGS:][::-1]


@page()
def curve(request: ConsoleRequest, uid: str) -> JsonResponse:
    """Give the chart's columns: times in Unix seconds, power in kW, energy in kWh, state of charge in percent."""
    found = _find(request, uid)
    points = metering.power_curve(found)
    points = points[:: max(1, len(points) // POINTS)]
    return JsonResponse(
        {
            "zone": found.station.location.time_zone if found.station.location else "UTC",
            "at": [at.timestamp() for at, *_ in points],
            "power_kw": [_kilo(power_w) for _, power_w, _, _ in points],
            "energy_kwh": [_kilo(energy_wh) for _, _, energy_wh, _ in points],
            "soc_percent": [_number(soc) for _, _, _, soc in points],
        }
    )


def _kilo(value: Decimal | None) -> float | None:
    return None if value is None else float(value / 1000)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened in a session."""

    at: datetime
    icon: str
    tone: str
    title: Any
    detail: Any = ""
    url: str = ""


def _timeline(found: ChargingSession) -> list[Moment]:
    """Put together what happened, from the rows of its parts, in the order of time."""
    since, until = found.started_at - AROUND, (found.ended_at or clock.now()) + AROUND
    moments = [*_own_moments(found), *_statuses(found, since, until), *_commands(found, since, until)]
    moments += _corrections(found)
    for cdr in bills(found):
        moments.append(Moment(cdr.created_at, "receipt", "ok", _("CDR issued"), cdr.uid))
        moments += _pushes(cdr.pk)
        if credit := getattr(cdr, "credit", None):
            moments.append(Moment(credit.created_at, "receipt", "warn", _("CDR credited"), credit.remark))
    return sorted(moments, key=lambda moment: moment.at)


def _own_moments(found: ChargingSession) -> list[Moment]:
    started = Moment(
        found.started_at,
        "player-play",
        "live",
        _("Session started"),
        _("token %(token)s: %(status)s") % {"token": found.id_token, "status": found.authorization_status},
    )
    if found.ended_at is None:
        return [started]
    reason = found.stop_reason or _("no reason given")
    return [started, Moment(found.ended_at, "player-stop", "idle", _("Session ended"), reason)]


def _corrections(found: ChargingSession) -> list[Moment]:
    """Give what was changed about its figures after its end; its flags say whether anything was."""
    if not any(word.startswith(("corrected", "closing_values")) for word in found.flags):
        return []
    return [
        Moment(
            row.at,
            "pencil",
            "warn",
            _("Corrected from %(before)s to %(after)s")
            % {"before": kwh(row.energy_before_wh), "after": kwh(row.energy_after_wh)},
            _("by %(who)s: %(why)s") % {"who": row.by, "why": row.reason},
        )
        for row in found.corrections.all()
    ]


def _statuses(found: ChargingSession, since: datetime, until: datetime) -> list[Moment]:
    """Give what the connector said meanwhile, and its last word before."""
    rows = StatusChange.objects.filter(evse_id=found.evse_id, at__range=(since, until)).order_by("-at")
    changes = list(rows[:40])
    ended = found.ended_at
    freed = [c.at for c in changes if ended is not None and c.at >= ended and c.status == "Available"]
    changes = [c for c in changes if not freed or c.at <= min(freed)]  # what follows is the next driver's
    moments: list[Moment] = []
    for change in changes:
        if moments and moments[-1].at < found.started_at:
            break
        look = words.CONNECTOR.get(change.status, words.CONNECTOR["Unknown"])
        detail = "" if change.error_code in ("", "NoError") else change.error_code
        moments.append(Moment(change.at, look.icon, look.tone, look.word, detail))
    return moments


def _commands(found: ChargingSession, since: datetime, until: datetime) -> list[Moment]:
    sent = Command.objects.filter(station_id=found.station_id, created_at__range=(since, until)).order_by(
        "-id"
    )[:20]
    return [
        Moment(
            command.created_at,
            "send",
            "info",
            command.action,
            _("by %(who)s: %(word)s")
            % {
                "who": command.requested_by or _("the system"),
                "word": words.of_command(command.status, command.result).word,
            },
        )
        for command in sent
    ]


def _pushes(cdr_id: int) -> list[Moment]:
    acked = (
        Push.objects.filter(module="cdrs", object_id=cdr_id)
        .exclude(acked_at=None)
        .select_related("connection")
    )
    return [
        Moment(push.acked_at, "share", "ok", _("CDR delivered"), push.connection.name)
        for push in acked
        if push.acked_at
    ]


@act("session.close")
def close(request: ConsoleRequest, uid: str) -> HttpResponse:
    """End a session whose charger never will, with its last good reading."""
    found = _find(request, uid)
    request.audit_object = ("session", uid)
    form = CloseForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why it is closed: the reason stands in the record."))
        return redirect("session", uid=uid)
    request.audit_facts = {"reason": form.cleaned_data["reason"], "energy_wh": str(found.energy_wh)}
    try:
        with transaction.atomic():
            session_service.close(found, reason=form.cleaned_data["reason"], by=request.principal.name)
        messages.success(request, _("The session is closed with its last reading; its CDR follows."))
    except NotOpen as error:
        messages.error(request, str(error))
    return redirect("session", uid=uid)
