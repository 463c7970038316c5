"""The tabs of a station's page: one line each, in the order of the page.

To add one: a module `<name>_tab.py` that gives its parts, a body `templates/console/tabs/<name>.html`, and a line in
`TABS`. The address is `?tab=<name>`. A tab belongs to a section; a section that has one tab only shows no second row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from cpo import access
from cpo.access import Principal
from cpo.console import (
    certificates_tab,
    commands_tab,
    configuration_tab,
    customers_tab,
    display_tab,
    energy_tab,
    files_tab,
    history_tab,
    local_list_tab,
    messages_tab,
    monitoring_tab,
    network_tab,
    now_tab,
    payment_tab,
    publications_tab,
    quirks_tab,
    reservations_tab,
    security_profiles_tab,
    sessions_tab,
    smart_charging_tab,
    start_tab,
    streams_tab,
    vehicles_tab,
)
from cpo.console.tab import Seen, Shown
from stations.models import ChargingStation
from stations.ocpp import outbound

UPLOT = "vendor/uplot/uPlot.iife.min.js"
UPLOT_STYLE = "vendor/uplot/uPlot.min.css"


@dataclass(frozen=True, slots=True)
class Section:
    """A group of tabs: an entry of the first row."""

    name: str
    label: Any
    icon: str


@dataclass(frozen=True, slots=True)
class StationTab:
    """One tab: where it stands, who sees it, which stations have it, and what it shows."""

    name: str  # of `?tab=` and of the body's template
    section: str
    label: Any
    icon: str
    show: Callable[[Seen], Shown]
    permission: str = ""  # beyond seeing the station; without it the address does not exist
    actions: frozenset[str] = (
        frozenset()
    )  # of which the station's version must know one, else it is not offered
    sees_connectors: bool = False  # also while the station is offline
    scripts: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()

    @property
    def template(self) -> str:
        """Name the template of the body."""
        return f"console/tabs/{self.name}.html"


SECTIONS = (
    Section("overview", _("Overview"), "layout-dashboard"),
    Section("sessions", _("Sessions"), "bolt"),
    Section("charging", _("Charging"), "battery-charging"),
    Section("configuration", _("Configuration"), "settings"),
    Section("security", _("Security"), "shield-lock"),
    Section("files", _("Files"), "package"),
    Section("messages", _("Messages"), "messages"),
)

TABS = (
    StationTab(
        "now",
        "overview",
        _("Now"),
        "bolt",
        now_tab.show,
        sees_connectors=True,
        scripts=(UPLOT, "js/chart.js"),
        styles=(UPLOT_STYLE,),
    ),
    StationTab("history", "overview", _("History"), "history", history_tab.show),
    StationTab("sessions", "sessions", _("Sessions"), "bolt", sessions_tab.show),
    StationTab("start", "sessions", _("Start"), "player-play", start_tab.show, sees_connectors=True),
    StationTab(
        "reservations",
        "sessions",
        _("Reservations"),
        "calendar",
        lambda s: Shown(
            reservations_tab.parts(s.request, s.station), reservations_tab.form(s.request, s.station)
        ),
    ),
    StationTab(
        "local-list",
        "sessions",
        _("Local list"),
        "list",
        lambda s: Shown(local_list_tab.parts(s.station), local_list_tab.form(s.request, s.station)),
    ),
    StationTab(
        "smart-charging",
        "charging",
        _("Smart charging"),
        "chart-line",
        lambda s: Shown(
            smart_charging_tab.parts(s.request, s.station, s.connectors),
            smart_charging_tab.beside(s.request, s.station, s.connectors, s.running),
        ),
        sees_connectors=True,
        scripts=(UPLOT, "js/steps.js"),
        styles=(UPLOT_STYLE,),
    ),
    StationTab(
        "vehicles",
        "charging",
        _("Vehicles and others"),
        "plug",
        vehicles_tab.show,
        actions=frozenset({"GetChargingProfiles"}),
    ),
    StationTab(
        "energy",
        "charging",
        _("Grid and prices"),
        "bolt",
        lambda s: Shown(energy_tab.parts(s.station), energy_tab.form()),
        actions=frozenset({"SetDERControl", "RequestBatterySwap", "SetDefaultTariff", "AFRRSignal"}),
    ),
    StationTab(
        "payment",
        "charging",
        _("Payment"),
        "credit-card",
        lambda s: Shown(payment_tab.parts(s.station), payment_tab.beside(s.station)),
    ),
    StationTab(
        "display",
        "charging",
        _("Display"),
        "message",
        lambda s: Shown(display_tab.parts(s.station), display_tab.forms_of(s.station)),
        actions=frozenset({"SetDisplayMessage"}),
    ),
    StationTab("configuration", "configuration", _("Keys and variables"), "settings", configuration_tab.show),
    StationTab(
        "monitoring",
        "configuration",
        _("Monitoring"),
        "alert-circle",
        lambda s: Shown(monitoring_tab.parts(s.station), monitoring_tab.form(s.request, s.station)),
        actions=frozenset({"SetVariableMonitoring"}),
    ),
    StationTab(
        "streams",
        "configuration",
        _("Event streams"),
        "activity",
        streams_tab.show,
        actions=frozenset({"AdjustPeriodicEventStream"}),
    ),
    StationTab(
        "quirks",
        "configuration",
        _("Quirks"),
        "adjustments",
        lambda s: Shown(quirks_tab.parts(s.station), quirks_tab.form(s.request, s.station)),
    ),
    StationTab(
        "security",
        "security",
        _("Profile and password"),
        "shield",
        lambda s: security_profiles_tab.tab(s.station),
    ),
    StationTab(
        "network",
        "security",
        _("Network"),
        "plug",
        lambda s: network_tab.show(s.station),
        actions=frozenset({"SetNetworkProfile"}),
    ),
    StationTab(
        "certificates",
        "security",
        _("Certificates"),
        "certificate",
        lambda s: Shown(
            certificates_tab.parts(s.request, s.station), certificates_tab.form(s.request, s.station)
        ),
    ),
    StationTab(
        "files",
        "files",
        _("Firmware and logs"),
        "package",
        lambda s: Shown(files_tab.parts(s.request, s.station), files_tab.form(s.request, s.station)),
    ),
    StationTab(
        "publications",
        "files",
        _("Published firmware"),
        "upload",
        publications_tab.show,
        actions=frozenset({"PublishFirmware"}),
    ),
    StationTab(
        "customers",
        "security",
        _("Customers"),
        "user",
        customers_tab.show,
        permission="customer.view",
        actions=frozenset({"CustomerInformation"}),
    ),
    StationTab(
        "messages", "messages", _("Message log"), "messages", messages_tab.show, permission="message.view"
    ),
    StationTab("commands", "messages", _("Commands"), "send", commands_tab.show, sees_connectors=True),
)

BY_NAME = {tab.name: tab for tab in TABS}
FIRST = TABS[0].name


class Entry(NamedTuple):
    """A section of the navigation as somebody sees it: it leads to its first tab."""

    section: Section
    tabs: list[StationTab]
    is_here: bool


def find(principal: Principal, name: str) -> StationTab | None:
    """Return the tab of an address, None where there is none for this person.

    What a version does not have is not offered, but its address stays: the station may have spoken another one.
    """
    tab = BY_NAME.get(name)
    return tab if tab is not None and _may(principal, tab) else None


def navigation(principal: Principal, station: ChargingStation, here: StationTab) -> list[Entry]:
    """Return the sections with the tabs that this person can open of this station; the open one always."""
    known = frozenset(outbound.actions(station.ocpp_version))
    offered = [tab for tab in TABS if _may(principal, tab) and (tab is here or _has(known, tab))]
    entries = [
        Entry(section, [tab for tab in offered if tab.section == section.name], section.name == here.section)
        for section in SECTIONS
    ]
    return [entry for entry in entries if entry.tabs]


def _may(principal: Principal, tab: StationTab) -> bool:
    return not tab.permission or access.may(principal, tab.permission)


def _has(known: frozenset[str], tab: StationTab) -> bool:
    return not tab.actions or bool(tab.actions & known)
