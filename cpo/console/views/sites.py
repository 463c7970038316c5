"""Sites whose load is balanced: the list, the live page, the power tree, past days."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from cpo import access
from cpo.console import site_forms, site_words
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.profile_words import STATES
from cpo.lib import clock
from stations.load_balancing import PHASES
from stations.models import Evse, InstalledProfile, Location, PowerNode
from stations.services import load_balancer, site_building, site_power, site_replay, site_state
from stations.services.errors import InvalidSite
from stations.services.site_state import FuseState

WRITE = "site_power.write"


@page()
def sites(request: ConsoleRequest) -> HttpResponse:
    """List the sites that have a power tree, by name, and offer the others."""
    return render(
        request,
        "console/sites.html",
        parts={"rows": Part("console/_sites.html", lambda: _rows(request))},
        extra=lambda: {"others": _without_tree(request)},
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = access.locations(request.principal).filter(power_nodes__parent=None, power_nodes__isnull=False)
    shown = page_of(found, by=("name", "id"), after=request.GET.get("after", ""), newest_first=False)
    nodes = PowerNode.objects.filter(location__in=[each.pk for each in shown], parent=None)
    roots = {node.location_id: node for node in nodes}
    for each in shown:
        each.root = roots[each.pk]
    return {"sites": shown}


def _without_tree(request: ConsoleRequest) -> list[Location]:
    if not access.may(request.principal, WRITE):
        return []
    return list(access.locations(request.principal).filter(power_nodes=None).order_by("name")[:200])


@page()
def site(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Show what each fuse carries now, and what each outlet may draw and why."""
    location = _find(request, uid)
    return render(
        request,
        "console/site.html",
        parts={"now": Part("console/_site.html", lambda: _now(location))},
        site=location,
        topics=f"site:{location.pk}",
        warnings=site_power.warnings(location),
        may_write=access.may(request.principal, WRITE),
    )


def _now(location: Location) -> dict[str, Any]:
    states = site_state.read(location)
    names = {state.node.pk: state.node.name for state in states}
    root = states[0].node if states else None
    return {"fuses": [_fuse(state, names) for state in states], "root": root, "site": location}


def _fuse(state: FuseState, names: dict[int, str]) -> dict[str, Any]:
    return {
        "state": state,
        "node": state.node,
        "above": names.get(state.node.parent_id or 0, ""),
        "phases": [_bar(state, phase) for phase in PHASES if state.limit_a[phase]],
        "outlets": [
            {
                "outlet": each.outlet,
                "session": each.session,
                "look": site_words.look(each.outlet.why),
                "why": site_words.why(each.outlet, names),
                "phases": site_words.phases(each.outlet.rotation),
                "used": site_words.phases(each.outlet.used),
                "given": site_words.number(each.outlet.given_a),
                "drawn": site_words.number(each.outlet.drawn_a),
                "safe": site_words.number(each.outlet.safe_a),
                "problem": site_words.safe_problem(each),
                "is_on_its_way": each.share_state in ("sent", "wanted", "unknown"),
                "share_look": STATES.get(InstalledProfile.State(each.share_state))
                if each.share_state
                else None,
            }
            for each in state.outlets
        ],
    }


def _bar(state: FuseState, phase: int) -> dict[str, Any]:
    """Give a bar in percent of the limit: the building, then what vehicles draw, then what they may draw more."""
    limit = state.limit_a[phase]
    building, drawn, given = state.building_a[phase], state.drawn_a[phase], state.given_a[phase]
    used = building + max(drawn, Decimal(0))
    return {
        "phase": phase,
        "limit": site_words.number(limit),
        "building": site_words.number(building),
        "drawn": site_words.number(drawn),
        "given": site_words.number(given),
        "building_percent": _percent(building, limit),
        "drawn_percent": _percent(used, limit) - _percent(building, limit),
        "given_percent": max(_percent(building + given, limit) - _percent(building, limit), 0),
        "is_over": used > limit,
    }


def _percent(value: Decimal, limit: Decimal) -> int:
    return min(round(value * 100 / limit), 100)


@page(WRITE)
def edit(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Show the power tree as two forms: its fuses, and what hangs on them."""
    return _show(request, _find(request, uid))


@act(WRITE)
def save_fuses(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Save the fuses; outlets stay where they hang, those of a fuse that is gone hang on none."""
    location = _find(request, uid)
    plan = site_power.plan_of(location)
    rows = site_forms.FuseForms(request.POST, prefix="fuse", initial=site_forms.fuse_rows(plan))
    about = site_forms.SiteForm(request.POST)
    if not rows.is_valid() or not about.is_valid():
        return _show(request, location, fuses=rows, about=about, status=422)
    wanted, filled = site_forms.with_fuses(plan, about, rows)
    request.audit_facts = {"fuses": [fuse.name for fuse in wanted.fuses]}
    faults = _save(request, location, wanted)
    if faults:
        site_forms.place_faults(faults, kind="fuses", rows=filled, site=about)
        return _show(request, location, fuses=rows, about=about, status=422)
    messages.success(request, _("The fuses are saved. Hang the outlets on them below."))
    return redirect("site-edit", uid=uid)


@act(WRITE)
def save_outlets(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Save what hangs on which fuse; every outlet gets its safe limit at once."""
    location = _find(request, uid)
    plan = site_power.plan_of(location)
    rows = site_forms.OutletForms(request.POST, prefix="outlet", form_kwargs=_outlet_options(location, plan))
    about = site_forms.SiteForm({"rule": plan.rule, "voltage": plan.voltage_v})
    if not rows.is_valid():
        return _show(request, location, outlets=rows, status=422)
    wanted, hung = site_forms.with_outlets(plan, rows)
    request.audit_facts = {"outlets": len(wanted.outlets)}
    faults = _save(request, location, wanted)
    if faults:
        about.is_valid()
        site_forms.place_faults(faults, kind="outlets", rows=hung, site=about)
        return _show(request, location, outlets=rows, about=about, status=422)
    messages.success(request, _("Saved. Each outlet is sent its safe limit; shares follow within seconds."))
    return redirect("site", uid=uid)


@act(WRITE)
def pause(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Share nothing any more: safe limits hold."""
    location = _find(request, uid)
    site_power.pause(location, requested_by=request.principal.name)
    messages.success(request, _("Paused. Each outlet falls back to its safe limit."))
    return redirect("site", uid=uid)


@act(WRITE)
def resume(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Share again."""
    location = _find(request, uid)
    site_power.resume(location)
    messages.success(request, _("Shares are given again."))
    return redirect("site", uid=uid)


@act(WRITE)
def lay_safe(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Reckon the safe limits anew and send those that are not where they should be."""
    location = _find(request, uid)
    found = load_balancer.install_safe(location, requested_by=request.principal.name)
    messages.success(
        request,
        _("Safe limits of %(count)s outlets are where they should be, or on their way.")
        % {"count": len(found)},
    )
    return redirect("site", uid=uid)


@act(WRITE)
def remove(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Take the power tree down."""
    location = _find(request, uid)
    site_power.remove(location, requested_by=request.principal.name)
    messages.success(
        request, _("The power tree of %(name)s is gone; its limits are taken back.") % {"name": location}
    )
    return redirect("sites")


# --- past days


@page()
def replay(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Compare a past day with what balancing would have made of it."""
    location = _find(request, uid)
    begin = _day(request, location)
    found = site_replay.day(location, begin=begin)
    chosen = _chosen(request, found)
    return render(
        request,
        "console/site_replay.html",
        site=location,
        day=begin.date().isoformat(),
        before=(begin.date() - timedelta(days=1)).isoformat(),
        after=(begin.date() + timedelta(days=1)).isoformat(),
        nodes=found.nodes,
        chosen=chosen[0] if chosen else None,
        phase=chosen[1] if chosen else 1,
        phases=PHASES,
        fuses=[_replayed(found, node) for node in found.nodes],
        lacking=[
            {"session": found.sessions[pk], "wh": value}
            for pk, value in sorted(found.lacking_wh.items(), key=lambda pair: -pair[1])
        ],
        is_empty=not found.steps,
    )


@page()
def replay_chart(request: ConsoleRequest, uid: str) -> JsonResponse:
    """Give the columns of the chart: the sum on a phase of a fuse with and without balancing, and the limit."""
    location = _find(request, uid)
    found = site_replay.day(location, begin=_day(request, location))
    chosen = _chosen(request, found)
    if chosen is None or not found.steps:
        return JsonResponse({"zone": location.time_zone, "unit": "A", "at": [], "series": [], "marks": []})
    node, phase = chosen
    limit = site_building.limits(node)[phase]
    moments: list[float] = []
    without: list[Decimal | None] = []
    balanced: list[Decimal | None] = []
    for index, step in enumerate(found.steps):
        at = found.moment(step).timestamp()
        if moments and step.at_s - found.steps[index - 1].at_s > site_replay.STEP_S:
            moments.append(moments[-1] + site_replay.STEP_S)  # nobody was plugged in from then on
            without.append(None)
            balanced.append(None)
        moments.append(at)
        without.append(step.without_a[node.pk][phase])
        balanced.append(step.with_a[node.pk][phase])
    marks = [
        {"begin": at, "end": at + site_replay.STEP_S, "more": True}
        for at, value in zip(moments, without, strict=True)
        if value is not None and value > limit
    ]
    series = [
        {"kind": "ours", "label": _("With balancing"), "values": _floats(balanced)},
        {"kind": "theirs", "label": _("As it was"), "values": _floats(without)},
        {"kind": "limit", "label": _("Limit"), "values": _floats([limit] * len(moments))},
    ]
    return JsonResponse(
        {"zone": location.time_zone, "unit": "A", "at": moments, "series": series, "marks": marks}
    )


def _floats(values: list[Decimal | None]) -> list[float | None]:
    return [None if value is None else float(value) for value in values]


def _replayed(found: site_replay.Day, node: PowerNode) -> dict[str, Any]:
    limits = site_building.limits(node)
    return {
        "node": node,
        "phases": [
            {
                "phase": phase,
                "limit": site_words.number(limits[phase]),
                "without": site_words.number(_highest(found, node, phase, balanced=False)),
                "with": site_words.number(_highest(found, node, phase, balanced=True)),
                "was_over": _highest(found, node, phase, balanced=False) > limits[phase],
                "is_over": _highest(found, node, phase, balanced=True) > limits[phase],
            }
            for phase in PHASES
            if limits[phase]
        ],
    }


def _highest(found: site_replay.Day, node: PowerNode, phase: int, *, balanced: bool) -> Decimal:
    sums = [(step.with_a if balanced else step.without_a)[node.pk][phase] for step in found.steps]
    return max(sums, default=Decimal(0))


def _chosen(request: ConsoleRequest, found: site_replay.Day) -> tuple[PowerNode, int] | None:
    """Give the fuse and the phase that the reader chose: by default the grid connection's fullest phase."""
    if not found.nodes:
        return None
    named = {node.uid: node for node in found.nodes}
    root = next((node for node in found.nodes if node.parent_id is None), found.nodes[0])
    node = named.get(request.GET.get("fuse", ""), root)
    phase = request.GET.get("phase", "")
    if phase in ("1", "2", "3"):
        return node, int(phase)
    return node, max(PHASES, key=lambda each: _highest(found, node, each, balanced=False))


def _day(request: ConsoleRequest, location: Location) -> datetime:
    """Give the begin of the day that was asked for, by the site's clock: yesterday by default."""
    zone = ZoneInfo(location.time_zone)
    today = clock.now().astimezone(zone).date()
    try:
        day = datetime.strptime(request.GET.get("day", ""), "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError:
        day = today - timedelta(days=1)
    return datetime.combine(min(max(day, today - timedelta(days=3660)), today), time(), tzinfo=zone)


# --- inside


def _find(request: ConsoleRequest, uid: str) -> Location:
    request.audit_object = ("site", uid)
    found: Location = get_object_or_404(access.locations(request.principal), uid=uid)
    return found


def _evses(location: Location) -> dict[int, Evse]:
    rows = Evse.objects.filter(station__location=location, is_removed=False).select_related("station")
    found = rows.prefetch_related("connectors").order_by("station__identity", "number")
    return {each.pk: each for each in found}


def _outlet_options(location: Location, plan: site_power.Plan) -> dict[str, Any]:
    return {"fuses": [fuse.name for fuse in plan.fuses], "evses": _evses(location)}


def _save(request: ConsoleRequest, location: Location, plan: site_power.Plan) -> list[tuple[str, str]]:
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            site_power.save(location, plan, requested_by=request.principal.name)
    except InvalidSite as error:
        return error.faults
    return []


def _show(
    request: ConsoleRequest,
    location: Location,
    *,
    fuses: Any = None,
    outlets: Any = None,
    about: Any = None,
    status: int = 200,
) -> HttpResponse:
    plan = site_power.plan_of(location)
    options = _outlet_options(location, plan)
    if fuses is None:
        fuses = site_forms.FuseForms(prefix="fuse", initial=site_forms.fuse_rows(plan))
    if about is None:
        about = site_forms.SiteForm(initial={"rule": plan.rule, "voltage": plan.voltage_v})
    if outlets is None:
        suggested = site_power.suggested(options["evses"].values(), nominal_v=plan.voltage_v)
        rows = site_forms.outlet_rows(plan, suggested)
        outlets = site_forms.OutletForms(prefix="outlet", initial=rows, form_kwargs=options)
    return render(
        request,
        "console/site_form.html",
        status=status,
        site=location,
        plan=plan,
        about=about,
        fuses=fuses,
        outlets=outlets,
    )
