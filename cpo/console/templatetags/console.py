"""What templates say about units, money, time and states. Units change here and nowhere before."""

import json
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.numbers import format_currency, format_decimal
from django import template
from django.forms import BoundField, CheckboxInput, Select
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, ngettext, to_locale

from cpo import access
from cpo.console import words
from cpo.lib import clock, redact

register = template.Library()
NOTHING = "–"
KILO = Decimal(1000)


def _locale() -> Locale:
    return Locale.parse(to_locale(get_language() or "en-gb"))


# --- quantities ----------------------------------------------------------------------------------------------------


@register.filter
def kwh(energy_wh: Decimal | None) -> str:
    """Show Wh as kWh with three decimals; more only where the meter gave more."""
    if energy_wh is None:
        return NOTHING
    value = Decimal(energy_wh) / KILO
    return f"{format_decimal(value, '#,##0.000###', locale=_locale(), decimal_quantization=False)} kWh"


@register.filter
def kwh_short(energy_wh: Decimal | None) -> str:
    """Show Wh as kWh with one decimal, for sums at a glance."""
    if energy_wh is None:
        return NOTHING
    return f"{format_decimal(Decimal(energy_wh) / KILO, '#,##0.0', locale=_locale())} kWh"


@register.filter
def kw(power_w: Decimal | None) -> str:
    """Show W as kW with two decimals."""
    if power_w is None:
        return NOTHING
    return f"{format_decimal(Decimal(power_w) / KILO, '#,##0.00', locale=_locale())} kW"


@register.filter
def money(amount: Decimal | str | None, currency: str = "EUR") -> str:
    """Show an amount in its currency with the currency's own number of decimals."""
    if amount is None or amount == "":
        return NOTHING
    try:
        return format_currency(Decimal(amount), currency, locale=_locale())
    except InvalidOperation:
        return NOTHING


@register.filter
def exact(amount: Decimal | str | int | None) -> str:
    """Show a number with every digit that it has and no trailing zeros."""
    if amount is None or amount == "":
        return NOTHING
    return format_decimal(Decimal(amount), "#,##0.##########", locale=_locale(), decimal_quantization=False)


@register.filter
def plain(number: Decimal) -> str:
    """Write a number for SVG: a point, no grouping, whatever the language."""
    return format(number, "f")


@register.filter
def price_of(amount: Decimal) -> str:
    """Show a unit price with all its digits, at least two decimals."""
    return format_decimal(amount, "#,##0.00########", locale=_locale(), decimal_quantization=False)


@register.filter
def duration(seconds: int | Decimal | None) -> str:
    """Show seconds as hours and minutes: `1 h 05 min`, below an hour `5 min`, below a minute `42 s`."""
    if seconds is None:
        return NOTHING
    whole = int(seconds)
    if whole < 60:
        return gettext("%(seconds)d s") % {"seconds": whole}
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return gettext("%(hours)d h %(minutes)02d min") % {"hours": hours, "minutes": minutes}
    return gettext("%(minutes)d min") % {"minutes": minutes}


# --- time ----------------------------------------------------------------------------------------------------------


def zone_of(name: str | None) -> ZoneInfo:
    """Return the named zone, UTC for a name that nobody knows."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _time(moment: datetime, text: str, **attributes: str) -> SafeString:
    title = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    extra = attributes.get("ago", "")
    return format_html('<time datetime="{}" title="{}"{}>{}</time>', moment.isoformat(), title, extra, text)


@register.filter
def at(moment: datetime | None, zone: str | None = "UTC") -> SafeString | str:
    """Show an instant in the site's zone, with UTC in the title; today without its date."""
    if moment is None:
        return NOTHING
    local = moment.astimezone(zone_of(zone))
    today = clock.now().astimezone(zone_of(zone)).date()
    if local.date() == today:
        return _time(moment, date_format(local, "H:i:s"))
    if local.year == today.year:
        return _time(moment, date_format(local, "j M H:i"))
    return _time(moment, date_format(local, "j M Y H:i"))


@register.filter
def at_full(moment: datetime | None, zone: str | None = "UTC") -> SafeString | str:
    """Show date, time and zone in full."""
    if moment is None:
        return NOTHING
    local = moment.astimezone(zone_of(zone))
    return _time(moment, f"{date_format(local, 'j M Y, H:i:s')} {local.tzname()}")


@register.filter
def clock_ms(moment: datetime, zone: str | None = "UTC") -> SafeString:
    """Show the time of a frame to the millisecond."""
    local = moment.astimezone(zone_of(zone))
    text = local.strftime("%H:%M:%S.") + f"{local.microsecond // 1000:03d}"
    if local.date() != clock.now().astimezone(zone_of(zone)).date():
        text = f"{date_format(local, 'j M')} {text}"
    return _time(moment, text)


def ago_words(seconds: int) -> str:
    """Say in one unit how long ago something was."""
    if seconds < 10:
        return gettext("just now")
    if seconds < 60:
        return gettext("%(count)d s ago") % {"count": seconds}
    if seconds < 3600:
        return gettext("%(count)d min ago") % {"count": seconds // 60}
    if seconds < 86400:
        return gettext("%(count)d h ago") % {"count": seconds // 3600}
    days = seconds // 86400
    return ngettext("%(count)d day ago", "%(count)d days ago", days) % {"count": days}


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """Show how long ago it was; `live.js` keeps the words true while the page is open."""
    if moment is None:
        return NOTHING
    seconds = max(0, int((clock.now() - moment).total_seconds()))
    title = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>', moment.isoformat(), title, ago_words(seconds)
    )


# --- states --------------------------------------------------------------------------------------------------------


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Draw an icon of the sprite; it is decoration, the word beside it tells."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        css,
        static("vendor/tabler-icons/icons.svg"),
        name,
    )


@register.simple_tag
def badge(look: words.Look, word: str = "") -> SafeString:
    """Draw a state: icon, word and colour, with what to do next in the title."""
    return format_html(
        '<span class="tag t-{}"{}>{}{}</span>',
        look.tone,
        format_html(' title="{}"', look.next_step) if look.next_step else "",
        icon(look.icon),
        word or look.word,
    )


@register.simple_tag
def state(table: str, word: str) -> SafeString:
    """Draw a state by its table in `cpo.console.words` and its stored word."""
    looks: dict[str, words.Look] = getattr(words, table.upper())
    return badge(looks.get(word, words.Look("help-circle", "idle", word or NOTHING)))


@register.filter
def look(table: str, word: str) -> words.Look:
    """Give the look of a stored word, for templates that show its next step too."""
    looks: dict[str, words.Look] = getattr(words, table.upper())
    return looks.get(word, words.Look("help-circle", "idle", word))


@register.filter
def next_step(word: str, table: str) -> Any:
    """Say what to do next about a stored word of the table."""
    found = getattr(words, table.upper()).get(word, "")
    return found.next_step if isinstance(found, words.Look) else found


@register.simple_tag
def station_badge(station: Any) -> SafeString:
    """Draw whether a station is connected."""
    return badge(words.of_station(is_online=station.is_online, ever_connected=station.epoch > 0))


@register.simple_tag
def connector_mark(number: int, connector: Any, is_online: bool = True) -> SafeString:
    """Draw a connector in small: its number, and an icon that says its status in the title and to screen readers.

    Of a station that is offline it is what the connector last said, drawn without colour.
    """
    shown = words.CONNECTOR.get(connector.status, words.CONNECTOR["Unknown"])
    if not is_online:
        last = gettext("Last said: %(word)s") % {"word": shown.word}
        shown = words.Look(shown.icon, "idle stale", last, words.OFFLINE.next_step)
    return format_html(
        '<span class="plug t-{}" title="{} {}. {}">{}{}<span class="visually-hidden"> {}</span></span>',
        shown.tone,
        number,
        shown.word,
        shown.next_step,
        icon(shown.icon),
        number,
        shown.word,
    )


@register.filter
def power_sum(sessions: list[Any]) -> Decimal:
    """Add up the power of running sessions, in W."""
    return sum((session.power_w for session in sessions if session.power_w is not None), Decimal(0))


@register.simple_tag
def command_badge(command: Any) -> SafeString:
    """Draw how far a command has come, or what the station answered."""
    return badge(words.of_command(command.status, command.result))


@register.simple_tag
def station_topics(station: Any) -> str:
    """Name the topics of which a station's page is made."""
    return f"station:{station.pk}"


@register.simple_tag
def frames_topics(station: Any) -> str:
    """Name the topic of a station's message log."""
    return f"frames:{station.pk}"


@register.simple_tag
def session_topics(session: Any) -> str:
    """Name the topics of which a session's page is made."""
    return f"session:{session.pk}"


@register.simple_tag
def partner_topics(partner: Any) -> str:
    """Name the topics of which a partner's page is made."""
    return f"partners partner:{partner.pk}"


@register.simple_tag
def session_badge(session: Any) -> SafeString:
    """Draw a session's state; that it needs review comes first once it has ended."""
    if session.needs_review and session.status != "active":
        return badge(words.NEEDS_REVIEW)
    return badge(words.SESSION.get(session.status, words.NEEDS_REVIEW))


@register.filter
def session_seconds(session: Any) -> int:
    """Tell how long a session has taken so far, in seconds."""
    return int(((session.ended_at or clock.now()) - session.started_at).total_seconds())


@register.filter
def mean_power(session: Any) -> Decimal | None:
    """Give the mean power of a session in W; None for one without duration."""
    seconds = session_seconds(session)
    return session.energy_wh * 3600 / seconds if seconds else None


@register.filter
def close_words(code: int | None) -> Any:
    """Say a WebSocket close code in words."""
    return words.CLOSE_CODE.get(code or 0, "")


@register.filter
def closed_by_words(who: str) -> Any:
    """Say who ended a connection."""
    return words.CLOSED_BY.get(who, who)


@register.filter
def plug_name(standard: str) -> str:
    """Say an OCPI connector standard as people do."""
    return words.PLUGS.get(standard, standard)


# --- text ----------------------------------------------------------------------------------------------------------


@register.filter
def pretty(value: Any) -> str:
    """Show JSON indented, secrets blanked; text that is no JSON as it is."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    return json.dumps(redact.payload(value), indent=2, ensure_ascii=False, default=str)


@register.filter
def get(mapping: dict[Any, Any], key: Any) -> Any:
    """Look a key up in a mapping; None when it is not there."""
    return mapping.get(key)


# --- requests ------------------------------------------------------------------------------------------------------


@register.filter
def may(principal: access.Principal | None, action: str) -> bool:
    """Tell whether the principal may do this, so that only buttons that work are shown; error pages have none."""
    return isinstance(principal, access.Principal) and access.may(principal, action)


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """Give the current query string with changes; None or '' removes a parameter."""
    request: HttpRequest = context["request"]
    kept = {name: value for name, value in request.GET.items() if name not in ("part", *changes)}
    kept |= {name: str(value) for name, value in changes.items() if value not in (None, "")}
    return f"?{urlencode(kept)}" if kept else request.path


@register.simple_tag(takes_context=True)
def live(
    context: template.Context, topics: str, *, part: str, every_ms: int = 0, at_once: bool = False
) -> SafeString:
    """Make the element re-read its part of this page when one of the topics changes.

    `every_ms` slows the refresh of busy topics down: the last change is never missed, only shown later. `at_once` is
    for a part that the first paint left out.
    """
    request: HttpRequest = context["request"]
    kept = {name: value for name, value in request.GET.items() if name != "part"} | {"part": part}
    return format_html(
        'data-topics="{}" data-every="{}" hx-get="{}?{}" hx-trigger="{}" hx-swap="morph:innerHTML" '
        'hx-sync="this:replace"',
        topics,
        every_ms,
        request.path,
        urlencode(kept),
        "load, live" if at_once else "live",
    )


@register.simple_tag(takes_context=True)
def current(context: template.Context, *prefixes: str) -> SafeString | str:
    """Mark the navigation entry of the page that is open."""
    path = context["request"].path
    is_here = any(path == prefix or (prefix != "/" and path.startswith(prefix)) for prefix in prefixes)
    return format_html('aria-current="{}"', "page") if is_here else ""


# --- forms ---------------------------------------------------------------------------------------------------------


@register.filter
def control(field: BoundField) -> SafeString:
    """Draw a form field's control with the look of the console, tied to its hint and its errors."""
    widget = field.field.widget
    attributes: dict[str, Any] = {}
    if isinstance(widget, Select):
        attributes["class"] = "form-select"
    elif not isinstance(widget, CheckboxInput):
        attributes["class"] = "form-control"
    if field.errors:
        attributes["class"] = f"{attributes.get('class', '')} is-invalid".strip()
    return field.as_widget(attrs=attributes)
