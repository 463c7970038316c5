"""Quirks of stations: what is known of the make, what was seen on the wire, what an operator says (field notes, 3).

`flags` says what holds for a station now: its make's profile, above it what was detected often enough, above all the
operator's word. It is asked at connect and kept in the `Link`: a message costs no statement. Deviations that the
tolerances let pass are counted in memory (`Tally`) and written down now and then.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import yaml
from django.db import transaction

from cpo.lib import clock, database, events
from stations.events import QuirksChanged
from stations.models import ChargingStation, StationQuirk
from stations.services import quirk_profiles, wake
from stations.services.errors import UnknownQuirk

Source = StationQuirk.Source
RANK: list[str] = [Source.PROFILE, Source.DETECTED, Source.OPERATOR]  # the last word wins
CONFIDENT = 3  # sightings after which a detected flag is acted upon
FLAGS_PER_STATION = 200  # rows of one station at most: a hostile one could make words up


@dataclass(frozen=True, slots=True)
class Known:
    """What a flag means and which values it takes: `kind` is switch, number or one of `choices`."""

    meaning: str
    kind: str = "switch"
    unit: str = ""
    choices: tuple[str, ...] = ()
    lowest: int = 0
    highest: int = 86_400

    def clean(self, value: Any) -> Any:
        """Return the value as it is kept; ValueError for what the flag cannot be."""
        if self.kind == "switch":
            if not isinstance(value, bool):
                raise ValueError("true or false")
        elif self.kind == "number":
            if (
                isinstance(value, bool)
                or not isinstance(value, int)
                or not self.lowest <= value <= self.highest
            ):
                raise ValueError(f"a whole number from {self.lowest} to {self.highest}")
        elif value not in self.choices:
            raise ValueError(f"one of {', '.join(self.choices)}")
        return value


# The table of flags: everything that code asks for. Without a flag the setting or the standard's rule holds.
KNOWN: dict[str, Known] = {
    # connection (stations/ocpp/consumer.py, sender.py)
    "ping_interval_s": Known("Seconds between our WebSocket pings; 0: never ping it", "number", "s"),
    "settle_s": Known(
        "Seconds between its BootNotification and our first command (else OCPP_SETTLE_S)", "number", "s"
    ),
    "max_rate": Known(
        "Automatic commands a minute at most (else OCPP_AUTOMATIC_PER_MINUTE)", "number", "/min", lowest=1
    ),
    "call_timeout_s": Known(
        "Seconds it may take to answer a command (else OCPP_CALL_TIMEOUT_S)",
        "number",
        "s",
        lowest=1,
        highest=900,
    ),
    "redial_after_timeouts": Known(
        "Commands in a row without an answer, while it does send, after which its socket is closed so that it dials "
        "again; 0: never (else OCPP_REDIAL_AFTER_TIMEOUTS)",
        "number",
    ),
    "no_boot_on_reconnect": Known("Sends BootNotification after power-up only: neither wait nor ask for one"),
    "no_boot_trigger": Known("Must not be asked for a missing BootNotification"),
    "takes_signed": Known("Understands signed messages: requests to it are signed with OCPP_SIGNING_KEY"),
    # handshake (stations/ocpp/handshake.py)
    "pinned_version": Known(
        "The OCPP version to speak, whatever else it offers", "choice", choices=("1.6", "2.0.1", "2.1")
    ),
    "basic_auth_without_name": Known("Its Basic authentication leaves the user name empty"),
    "token_in_path": Known("Sends its password as the last part of the URL"),
    "password_form": Known(
        "How AuthorizationKey is written to it: as the text, or as the hexadecimal of the text",
        "choice",
        choices=("hex", "plain"),
    ),
    # cost (stations/services/station_costs.py)
    "shows_cost": Known("Shows the driver the cost: tell it the total at the end, and while it runs"),
    "shows_tariff": Known("Shows the driver the tariff: tell it with each authorization"),
    "takes_tariffs": Known("Calculates by a driver's own tariff: send that with each authorization (2.1)"),
    # smart charging (stations/services/smart_charging.py)
    "max_profile_absolute_only": Known("Refuses a relative ChargePointMaxProfile: send an absolute one"),
    "watts_only": Known("Takes limits in W only"),
    "amps_only": Known("Takes limits in A only"),
    "no_zero_limit": Known("A limit of 0 ends or blocks the transaction: pause it in another way"),
    "min_limit_a": Known("The smallest limit that it keeps to, in A", "number", "A"),
    "tx_profile_only": Known("A running transaction takes a TxProfile with its id only"),
    "tx_default_profile_only": Known("Takes TxDefaultProfile only"),
    "forgets_profiles_at_reboot": Known("Loses its charging profiles at a reboot: install them again"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A flag of one station as pages show it; `value` is what the source says, `is_in_force` whether it decides."""

    flag: str
    value: Any
    source: str
    origin: str = ""  # the profile's name, or who set it
    count: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    is_in_force: bool = False

    @property
    def counts(self) -> bool:
        """Tell whether it may decide: a known flag, and seen often enough."""
        return self.flag in KNOWN and (self.source != Source.DETECTED or self.count >= CONFIDENT)

    @property
    def known(self) -> Known | None:
        """Give the entry in the table of flags; None for a deviation that is only counted."""
        return KNOWN.get(self.flag)


ROWS = """
select flag, source, value::text from stations_stationquirk
where station_id = %s and value is not null and (source = 'operator' or (source = 'detected' and count >= %s))
union all
select said.flag, 'detected', 'true' from stations_variable v
join (values ('Cost', 'shows_cost'), ('Tariff', 'shows_tariff'), ('Tariff', 'takes_tariffs')) said (instance, flag)
    on said.instance = v.instance
where v.station_id = %s and v.component = 'TariffCostCtrlr' and v.component_instance = '' and v.evse_number = 0
    and v.connector_number = 0 and v.name = 'Enabled' and v.instance in ('Cost', 'Tariff') and v.attribute = 'Actual'
    and lower(v.value) = 'true'
"""


def flags(station: ChargingStation) -> Mapping[str, Any]:
    """Return what holds for a station, of the table of flags (blocking, one statement)."""
    found = of_make(station.vendor, station.model, station.firmware_version)
    rows = database.prepared(ROWS, [station.pk, CONFIDENT, station.pk]) if station.pk else []
    for wanted in (Source.DETECTED, Source.OPERATOR):
        found |= {
            flag: json.loads(value) for flag, source, value in rows if source == wanted and flag in KNOWN
        }
    return found


def of_make(vendor: str, model: str, firmware: str) -> dict[str, Any]:
    """Return what the profiles say about a make, model and firmware."""
    found: dict[str, Any] = {}
    for profile in quirk_profiles.profiles():
        if profile.fits(vendor, model, firmware):
            found |= profile.flags
    return found


def lines(station: ChargingStation) -> list[Line]:
    """Return everything odd about a station, by flag: which source says what, how often it was seen, what decides."""
    of_profile: dict[str, Line] = {}
    for profile in quirk_profiles.profiles():
        if profile.fits(station.vendor, station.model, station.firmware_version):
            for flag, value in profile.flags.items():
                of_profile[flag] = Line(flag, value, Source.PROFILE, profile.name)
    listed = [*of_profile.values()]
    listed += [
        Line(row.flag, row.value, row.source, row.set_by, row.count, row.first_at, row.last_at)
        for row in StationQuirk.objects.filter(station=station)
    ]
    listed.sort(key=lambda line: (line.flag not in KNOWN, line.flag, RANK.index(line.source)))
    deciding = {line.flag: line for line in listed if line.counts}
    return [replace(line, is_in_force=deciding.get(line.flag) is line) for line in listed]


@transaction.atomic(savepoint=False)
def override(station: ChargingStation, *, flag: str, value: Any, by: str) -> StationQuirk:
    """Set a flag for one station, above everything else. Raise `UnknownQuirk` for a flag or value that is none."""
    if flag not in KNOWN:
        raise UnknownQuirk("flag", f"one of {', '.join(KNOWN)}")
    try:
        clean = KNOWN[flag].clean(value)
    except ValueError as error:
        raise UnknownQuirk("value", str(error)) from error
    now = clock.now()
    row, _ = StationQuirk.objects.update_or_create(
        station=station,
        flag=flag,
        source=Source.OPERATOR,
        defaults={"value": clean, "set_by": by[:100], "last_at": now},
        create_defaults={"value": clean, "set_by": by[:100], "first_at": now, "last_at": now},
    )
    _tell(station.pk)
    return row


@transaction.atomic(savepoint=False)
def forget(station: ChargingStation, *, flag: str) -> bool:
    """Take an operator's word or what was detected back; the make's profile holds again. False: there was nothing."""
    gone, _ = StationQuirk.objects.filter(station=station, flag=flag).delete()
    _tell(station.pk)
    return bool(gone)


# Of a station that was deleted, or that has enough of them, nothing is written.
COUNT = """
insert into stations_stationquirk (station_id, flag, source, value, count, set_by, first_at, last_at)
select u.station_id, u.flag, 'detected', u.value::jsonb, u.count, '', %s, %s
from unnest(%s::int8[], %s::text[], %s::text[], %s::int4[]) as u(station_id, flag, value, count)
join stations_chargingstation s on s.id = u.station_id
where (select count(*) from stations_stationquirk q where q.station_id = u.station_id) < %s
    or exists (select 1 from stations_stationquirk q where q.station_id = u.station_id and q.flag = u.flag)
on conflict (station_id, flag, source) do update
    set count = stations_stationquirk.count + excluded.count, last_at = excluded.last_at,
        value = coalesce(excluded.value, stations_stationquirk.value)
returning station_id, flag, count
"""

Seen = dict[tuple[int, str], tuple[int, Any]]


class Tally:
    """Counts deviations in memory, until `take` hands them to `count`. One per process; a crash loses only counts."""

    def __init__(self) -> None:
        self._seen: Seen = {}

    def note(self, station_id: int, words: Iterable[str], *, value: Any = None) -> None:
        """Count what was odd about one message; never blocks."""
        for word in words:
            key = (station_id, word[:64])
            times, earlier = self._seen.get(key, (0, None))
            self._seen[key] = (times + 1, earlier if value is None else value)

    def take(self) -> Seen:
        """Return what was counted since the last time."""
        taken, self._seen = self._seen, {}
        return taken


tally = Tally()


@transaction.atomic(savepoint=False)
def count(seen: Seen) -> None:
    """Add what a tally counted to the rows (blocking); a known flag holds from its third sighting on."""
    if not seen:
        return
    ordered = sorted(seen)
    now = clock.now()
    rows = database.prepared(
        COUNT,
        [
            now, now, [key[0] for key in ordered], [key[1] for key in ordered],
            [None if seen[key][1] is None else json.dumps(seen[key][1]) for key in ordered],
            [seen[key][0] for key in ordered], FLAGS_PER_STATION,
        ],
    )  # fmt: skip
    for station_id, flag, total in rows:
        if flag in KNOWN and total - seen[station_id, flag][0] < CONFIDENT <= total:
            wake.changed(station_id)
    for station_id in {station_id for station_id, _, _ in rows}:
        events.publish(QuirksChanged(station_id))


def noticed(station_id: int, flag: str, *, value: Any = True) -> None:
    """Count one sighting of a known flag with its value (blocking)."""
    count({(station_id, flag[:64]): (1, value)})


def export(stations: Iterable[ChargingStation]) -> str:
    """Return what operators set and what was seen often enough as YAML profiles, one entry per make and firmware."""
    entries: dict[tuple[str, str, str], dict[str, Any]] = {}
    for station in stations:
        profile = of_make(station.vendor, station.model, station.firmware_version)
        own = {flag: value for flag, value in flags(station).items() if profile.get(flag) != value}
        if own and station.vendor:
            make = (station.vendor, station.model, station.firmware_version)
            entries.setdefault(make, {}).update(own)
    return yaml.safe_dump(
        [_entry(*make, found) for make, found in sorted(entries.items())], sort_keys=False, allow_unicode=True
    )


def _entry(vendor: str, model: str, firmware: str, found: dict[str, Any]) -> dict[str, Any]:
    version = ".".join(map(str, quirk_profiles.version_of(firmware)))
    entry: dict[str, Any] = {"name": f"{vendor} {model}".strip(), "vendor": f"^{re.escape(vendor)}$"}
    if model:
        entry["model"] = f"^{re.escape(model)}$"
    if version:
        entry["firmware"] = {"from": version}
    return entry | {"flags": found, "source": f"seen with firmware {firmware}" if firmware else "seen"}


def _tell(station_id: int) -> None:
    wake.changed(station_id)
    events.publish(QuirksChanged(station_id))
