"""One sentence about a station: what is the matter, why we think so, and what to do. The first case that fits wins.

The facts are read by `read`, judged by `judge`, so that each verdict can be tested with facts alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cpo import access
from cpo.access import Principal
from cpo.console import command_links, words
from cpo.console.templatetags.console import duration
from cpo.lib import clock
from stations.models import ChargingStation, ConnectionEvent, Connector, HandshakeRejection

SITE_WINDOW = timedelta(seconds=120)  # neighbours lost within this time of one another: one cause
SITE_SHARE = 0.6  # of a site's stations
FLAPPING = timedelta(minutes=15)  # the time in which three connections are too many
CREDENTIALS = frozenset({"no_auth", "bad_password", "bad_auth_header", "username_mismatch"})


@dataclass(frozen=True, slots=True)
class Action:
    """A button beside the verdict."""

    label: str
    url: str
    icon: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`name` is the case, for tests and metrics; `tone` and `icon` as in `cpo.console.words.Look`."""

    name: str
    tone: str
    icon: str
    sentence: str
    advice: str
    actions: tuple[Action, ...] = ()


@dataclass(slots=True)
class Facts:
    """What a verdict is made of."""

    station: ChargingStation
    now: datetime
    connections: Sequence[ConnectionEvent] = ()  # the newest first
    rejections: Sequence[HandshakeRejection] = ()  # of this identity since the loss, the newest first
    neighbours: int = 0  # other stations of the site that were ever online
    neighbours_lost: int = 0  # of them, offline since about the same moment
    connectors: Sequence[Connector] = ()
    charging: int = 0  # running sessions
    links: dict[str, str] = field(default_factory=dict)


def read(
    principal: Principal, station: ChargingStation, *, connectors: Sequence[Connector], charging: int
) -> Facts:
    """Read the facts: one query for a station that is online, at most three for one that is not."""
    now = clock.now()
    facts = Facts(station, now, connectors=connectors, charging=charging)
    facts.connections = list(station.connections.order_by("-epoch")[:5])
    if station.is_online:
        return facts
    since = station.online_changed_at or station.created_at
    refused = HandshakeRejection.objects.filter(identity=station.identity, last_at__gte=since)
    facts.rejections = list(refused.order_by("-last_at")[:3])
    if station.location_id and station.online_changed_at:
        around = (station.online_changed_at - SITE_WINDOW, station.online_changed_at + SITE_WINDOW)
        lost = Q(is_online=False, online_changed_at__range=around)
        others = access.stations(principal).filter(location_id=station.location_id, epoch__gt=0)
        counts = others.exclude(pk=station.pk).aggregate(all=Count("pk"), lost=Count("pk", filter=lost))
        facts.neighbours, facts.neighbours_lost = counts["all"], counts["lost"]
    return facts


def judge(facts: Facts) -> Verdict:
    """Return the first verdict that fits."""
    cases = _ONLINE if facts.station.is_online else _OFFLINE
    for case in cases:
        verdict = case(facts)
        if verdict is not None:
            return verdict
    raise AssertionError("the last case always fits")


def _page(facts: Facts, tab: str, **query: str) -> str:
    extra = "".join(f"&{name}={value}" for name, value in query.items())
    return f"{reverse('station', args=[facts.station.identity])}?tab={tab}{extra}"


def _command(facts: Facts, wanted: str, label: str, **values: Any) -> Action:
    page = reverse("station", args=[facts.station.identity])
    return Action(
        label, f"{page}?{command_links.query(facts.station.ocpp_version, wanted, **values)}", "send"
    )


def _edit(facts: Facts, label: str) -> Action:
    return Action(label, reverse("station-edit", args=[facts.station.identity]), "key")


def _history(facts: Facts) -> Action:
    return Action(_("Connection history"), _page(facts, "history"), "history")


def _reason(rejection: HandshakeRejection) -> words.Look:
    return words.REJECTION.get(rejection.reason, words.Look("ban", "bad", rejection.reason))


def _since(facts: Facts) -> str:
    moment = facts.station.online_changed_at
    return duration(int((facts.now - moment).total_seconds())) if moment else ""


# --- offline -------------------------------------------------------------------------------------------------------


def _credentials(facts: Facts) -> Verdict | None:
    refused = [r for r in facts.rejections if r.reason in CREDENTIALS]
    if not refused:
        return None
    return Verdict(
        "credentials",
        "bad",
        "key",
        _("The charger knocks, but its credentials are refused: %(reason)s, %(count)d times.")
        % {"reason": _reason(refused[0]).word, "count": refused[0].count},
        str(_reason(refused[0]).next_step),
        (_edit(facts, _("Set a new password")), _history(facts)),
    )


def _refused(facts: Facts) -> Verdict | None:
    if not facts.rejections:
        return None
    newest = facts.rejections[0]
    return Verdict(
        "refused",
        "bad",
        "ban",
        _("The charger knocks, but its connection is refused: %(reason)s.")
        % {"reason": _reason(newest).word},
        str(_reason(newest).next_step),
        (_edit(facts, _("Edit the station")), _history(facts)),
    )


def _never(facts: Facts) -> Verdict | None:
    if facts.station.epoch:
        return None
    return Verdict(
        "never_connected",
        "info",
        "plug-off",
        _("This station has never connected."),
        _("Enter URL, identity and password of the connection card in the charger, then wait for it here."),
        (_edit(facts, _("Connection card")),),
    )


def _site(facts: Facts) -> Verdict | None:
    if not facts.neighbours_lost or facts.neighbours_lost < SITE_SHARE * facts.neighbours:
        return None
    lost, everyone = facts.neighbours_lost + 1, facts.neighbours + 1
    return Verdict(
        "site_outage",
        "bad",
        "building-store",
        _("Offline for %(since)s, with %(lost)d of %(all)d stations of this site at the same moment.")
        % {"since": _since(facts), "lost": lost, "all": everyone},
        _("Site power or router: call the site's contact, not the charger's vendor."),
        (_history(facts),),
    )


def _flapping(facts: Facts) -> Verdict | None:
    recent = [c for c in facts.connections if facts.now - c.opened_at < FLAPPING]
    if len(recent) < 3:
        return None
    return Verdict(
        "flapping",
        "bad",
        "refresh",
        _("The line comes and goes: %(count)d connections in 15 minutes.") % {"count": len(recent)},
        _(
            "A weak mobile signal or a boot loop: read the close codes, then the last messages before each loss."
        ),
        (_history(facts), Action(_("Messages"), _page(facts, "messages"), "message")),
    )


def _lost(facts: Facts) -> Verdict | None:
    last = facts.connections[0] if facts.connections else None
    why = words.CLOSE_CODE.get(last.close_code) if last and last.close_code else None
    return Verdict(
        "offline",
        "bad",
        "wifi-off",
        (
            _("Offline for %(since)s: %(why)s.") % {"since": _since(facts), "why": why}
            if why
            else _("Offline for %(since)s.") % {"since": _since(facts)}
        ),
        _(
            "If it does not come back within 10 minutes: check power and network on site, then read its last messages."
        ),
        (Action(_("Last messages"), _page(facts, "messages"), "message"), _history(facts)),
    )


# --- online --------------------------------------------------------------------------------------------------------


def _registration(facts: Facts) -> Verdict | None:
    if facts.station.registration == ChargingStation.Registration.ACCEPTED:
        return None
    return Verdict(
        "not_accepted",
        "warn",
        "hourglass",
        _("Connected, but registered as %(word)s: it must not charge yet.")
        % {"word": facts.station.registration},
        _("Edit the station and set the registration to Accepted once it is configured."),
        (_edit(facts, _("Edit the station")),),
    )


def _silent(facts: Facts) -> Verdict | None:
    seen = facts.station.last_seen_at
    limit = timedelta(seconds=settings.OCPP_SILENCE_FACTOR * settings.OCPP_HEARTBEAT_INTERVAL_S)
    if seen is None or facts.now - seen < limit:
        return None
    return Verdict(
        "silent",
        "warn",
        "cloud-off",
        _("The socket is open, but nothing came for %(ago)s.")
        % {"ago": duration(int((facts.now - seen).total_seconds()))},
        _("Ask it for a Heartbeat: if no answer comes, the line is dead and will be closed."),
        (_command(facts, "trigger", _("Trigger a Heartbeat"), message="Heartbeat"),),
    )


def _faulted(facts: Facts) -> Verdict | None:
    broken = [c for c in facts.connectors if c.status == "Faulted"]
    if facts.station.status == "Faulted" and not broken:
        sentence = _("The station reports a fault of the whole station.")
    elif broken:
        first = broken[0]
        code = " ".join(filter(None, [first.error_code, first.vendor_error_code, first.status_info]))
        sentence = _("Connector %(number)d is faulted: %(code)s.") % {
            "number": first.evse.number,
            "code": code or _("no error code"),
        }
    else:
        return None
    return Verdict(
        "faulted",
        "bad",
        "alert-triangle",
        sentence,
        _(
            "Try a soft Reset when nobody charges. If the fault comes back, send a technician with the error code."
        ),
        (
            _command(facts, "restart", _("Soft reset")),
            Action(_("Messages"), _page(facts, "messages"), "message"),
        ),
    )


def _closed(facts: Facts) -> Verdict | None:
    shut = [c for c in facts.connectors if c.status == "Unavailable"]
    if not shut or len(shut) < len(facts.connectors):
        return None
    return Verdict(
        "out_of_service",
        "idle",
        "ban",
        _("Online, but every connector is out of service."),
        _("Put it into service to open it for drivers."),
        (_command(facts, "availability", _("Put into service"), operative=True),),
    )


def _charging(facts: Facts) -> Verdict | None:
    if not facts.charging:
        return None
    return Verdict(
        "charging",
        "live",
        "bolt",
        ngettext("Online, %(count)d car is charging.", "Online, %(count)d cars are charging.", facts.charging)
        % {"count": facts.charging},
        _("Nothing to do."),
    )


def _unheard(facts: Facts) -> Verdict | None:
    if facts.connectors:
        return None
    return Verdict(
        "no_connectors",
        "info",
        "help-circle",
        _("Online, but it has not named its connectors yet."),
        _("Ask for them: TriggerMessage with StatusNotification."),
        (_command(facts, "trigger", _("Ask for statuses"), message="StatusNotification"),),
    )


def _ready(facts: Facts) -> Verdict | None:
    free = sum(c.status == "Available" for c in facts.connectors)
    return Verdict(
        "ready",
        "ok",
        "circle-check",
        _("Online and ready: %(free)d of %(all)d connectors are free.")
        % {"free": free, "all": len(facts.connectors)},
        _("Nothing to do."),
    )


_OFFLINE = (_credentials, _refused, _never, _site, _flapping, _lost)
_ONLINE = (_registration, _faulted, _silent, _closed, _charging, _unheard, _ready)
