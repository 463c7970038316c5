"""Network connection profiles in the slots of a station, and in which order it tries them (2.1 B09, B10).

What stands in a slot is known from two sources: what we set (`NetworkProfile`), and what the station tells of its
NetworkConfiguration (2.1). Which slots there are, which is in use and which come first, its device model says. How a
station is led to a higher security profile this way, `security_profiles` says.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events, redact
from stations.events import VariablesChanged
from stations.models import ChargingStation, Command, NetworkProfile, Variable
from stations.services import commands, device_model, requests, security_guards, variable_keys
from stations.services.errors import InvalidPayload, NoSlot, NotConfirmed, UnknownAction
from stations.services.variable_keys import VariableKey

State = NetworkProfile.State

SUBJECT = "network:"  # of commands that set a slot: what follows is the slot
ORDER = "network_order:"  # of commands that set the order of slots, which follows
CONTROLLER = "OCPPCommCtrlr"
PRIORITY = VariableKey("NetworkConfigurationPriority", CONTROLLER)
ACTIVE = VariableKey("ActiveNetworkProfile", CONTROLLER)
ATTEMPTS = VariableKey("NetworkProfileConnectionAttempts", CONTROLLER)
PROFILE = VariableKey("SecurityProfile", "SecurityCtrlr")
SLOT = "NetworkConfiguration"  # component of 2.1, an instance for each slot
INTERFACE, TIMEOUT_S = "Wired0", 30  # of a connection of which nothing is known
URL_LENGTH = 512  # characters of ocppCsmsUrl in every version
SUBJECT_LENGTH = 64  # characters of a command's subject

# member of NetworkConnectionProfileType -> variable of NetworkConfiguration (2.1 section 2.1.8)
VARIABLES = {
    "ocppCsmsUrl": "OcppCsmsUrl",
    "ocppInterface": "OcppInterface",
    "ocppTransport": "OcppTransport",
    "ocppVersion": "OcppVersion",
    "messageTimeout": "MessageTimeout",
    "securityProfile": "SecurityProfile",
    "identity": "Identity",
}
VPN = {
    "server": "VpnServer",
    "user": "VpnUser",
    "group": "VpnGroup",
    "password": "VpnPassword",
    "key": "VpnKey",
    "type": "VpnType",
}
APN = {
    "apn": "Apn",
    "apnUserName": "ApnUserName",
    "apnPassword": "ApnPassword",
    "simPin": "SimPin",
    "preferredNetwork": "PreferredNetwork",
    "useOnlyPreferredNetwork": "UseOnlyPreferredNetwork",
    "apnAuthentication": "ApnAuthentication",
}


@dataclass(frozen=True, slots=True)
class Connection:
    """How a station shall connect to us; what is not said stays as it is. `more` are further members: VPN, APN."""

    slot: int | None = None
    url: str = ""
    interface: str = ""
    timeout_s: int | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def profile(self, security_profile: int, *, like: "Slot | None" = None) -> dict[str, Any]:
        """Write it as a NetworkConnectionProfileType; what is not said is `like` another slot."""
        return {
            "ocppVersion": "OCPP20",
            "ocppTransport": "JSON",
            "ocppCsmsUrl": self.url or our_url(security_profile),
            "messageTimeout": self.timeout_s or (like.timeout_s if like else TIMEOUT_S),
            "securityProfile": security_profile,
            "ocppInterface": self.interface or (like.interface if like else "") or INTERFACE,
        } | self.more


@dataclass(frozen=True, slots=True)
class Rise:
    """The slot and profile that a station gets, and the order of its slots then and now."""

    slot: int
    data: dict[str, Any]
    priority: str
    former: str


@dataclass(slots=True)
class Slot:
    """One slot: what we set it to, what the station tells of it, its place in the order (1 is tried first)."""

    number: int
    row: NetworkProfile | None = None
    told: dict[str, str] = field(default_factory=dict)  # variable -> value
    place: int | None = None
    is_active: bool = False
    is_writable: bool = False  # variable by variable (B09.FR.10)

    @property
    def url(self) -> str:
        """The address of the slot; the station's own word comes first."""
        return self.told.get("OcppCsmsUrl") or (self.row.url if self.row else "")

    @property
    def security_profile(self) -> int | None:
        """The security profile of the slot, None if nobody knows."""
        told = self.told.get("SecurityProfile", "")
        return int(told) if told.isdigit() else self.row.security_profile if self.row else None

    @property
    def interface(self) -> str:
        """The interface of the slot, '' if nobody knows."""
        return self.told.get("OcppInterface") or (self.row.interface if self.row else "")

    @property
    def timeout_s(self) -> int:
        """Seconds that a message may take."""
        told = self.told.get("MessageTimeout", "")
        known = (self.row.data.get("messageTimeout") if self.row else None) or TIMEOUT_S
        return int(told) if told.isdigit() else int(known)

    @property
    def is_special(self) -> bool:
        """Tell whether it goes by VPN or mobile network, of which nobody can read the secrets."""
        told = {self.told.get("VpnEnabled", "").lower(), self.told.get("ApnEnabled", "").lower()}
        return "true" in told or bool(self.row and {"vpn", "apn"} & self.row.data.keys())


@dataclass(slots=True)
class Network:
    """What is known of a station's connections."""

    slots: list[Slot]
    priority: list[int]  # slots in the order of trying; empty: never told
    active: Slot | None = None
    attempts: int | None = None  # before it tries the next slot
    wished: str | None = None  # an order that is on its way to the station

    @property
    def has_fallen_back(self) -> bool:
        """Tell whether the station is connected through another slot than the first (B10.FR.03)."""
        return self.active is not None and self.active.place not in (None, 1)


def is_spoken(station: ChargingStation) -> bool:
    """Tell whether the station's version has network profiles."""
    try:
        requests.write(station, "set_network_profile", {"slot": 0, "data": {}})
    except UnknownAction:
        return False
    return True


def known(station: ChargingStation) -> Network:
    """Return what is known of a station's slots: two statements and one for what is on its way."""
    rows = {row.slot: row for row in NetworkProfile.objects.filter(station=station)}
    controls, told, writable = _told(station)
    priority = _numbers(controls["value"].get(PRIORITY.name))
    numbers = {*rows, *priority, *told, *_numbers(controls["values_list"].get(PRIORITY.name))}
    active = _numbers(controls["value"].get(ACTIVE.name))
    slots = [
        Slot(
            number,
            rows.get(number),
            told.get(number, {}),
            priority.index(number) + 1 if number in priority else None,
            number in active[:1],
            number in writable,
        )
        for number in sorted({*numbers, *active})
    ]
    attempts = _numbers(controls["value"].get(ATTEMPTS.name))
    return Network(
        slots,
        priority,
        next((slot for slot in slots if slot.is_active), None),
        attempts[0] if attempts else None,
        _wished(station),
    )


def _told(
    station: ChargingStation,
) -> tuple[dict[str, dict[str, str]], dict[int, dict[str, str]], set[int]]:
    """Read the device model: variables of the controller, those of each slot, slots that can be written."""
    found = Variable.objects.filter(
        station=station, component__iregex=f"^({CONTROLLER}|{SLOT})$", attribute=variable_keys.ACTUAL
    )
    controls: dict[str, dict[str, str]] = {"value": {}, "values_list": {}}
    told: dict[int, dict[str, str]] = defaultdict(dict)
    writable: set[int] = set()
    for row in found:
        number = _numbers(row.component_instance)
        if row.component.casefold() == CONTROLLER.casefold():
            controls["value"][row.name] = row.value or ""
            controls["values_list"][row.name] = row.values_list
        elif number:
            told[number[0]][row.name] = row.value or ""
            if row.name == "OcppCsmsUrl" and not row.is_readonly:
                writable.add(number[0])
    return controls, dict(told), writable


def _numbers(text: str | None) -> list[int]:
    """Read a list of slots as stations write them."""
    members = [member.strip() for member in (text or "").split(",")]
    return [int(member) for member in members if member.isascii() and member.isdigit() and len(member) < 10]


def _wished(station: ChargingStation) -> str | None:
    """Return the newest order that waits for the station's answer."""
    waiting = Command.objects.filter(
        station=station, status__in=[Command.Status.QUEUED, Command.Status.SENT], subject__startswith=ORDER
    )
    subject = waiting.order_by("-pk").values_list("subject", flat=True).first()
    return None if subject is None else subject.removeprefix(ORDER)


# --- setting slots


@transaction.atomic(savepoint=False)
def set_slot(
    station: ChargingStation, *, slot: int, data: dict[str, Any], confirmed: bool = False, **options: Any
) -> Command:
    """Queue SetNetworkProfile: `data` is a NetworkConnectionProfileType. The station uses it when its priority says so.

    Raise `NotConfirmed` without `confirmed`, for a wrong one can cut the station off, `LowerProfile`, `NoSlot`, and
    what `requests.queue` raises.
    """
    _may_be_set(station, slot, data, confirmed=confirmed)
    options.setdefault("subject", f"{SUBJECT}{slot}")
    command = requests.queue(station, "set_network_profile", facts={"slot": slot, "data": data}, **options)
    _keep(station, slot=slot, data=data, state=State.ASKED, requested_by=command.requested_by)
    return command


@transaction.atomic(savepoint=False)
def set_slot_by_variables(
    station: ChargingStation, *, slot: int, data: dict[str, Any], confirmed: bool = False, **options: Any
) -> list[Command]:
    """Set a slot of a 2.1 station variable by variable (B09, alternative scenario); its password goes apart.

    Raise `NoSlot` for a slot that is among those to be tried, for it must not be changed (B09.FR.21), and what
    `set_slot` raises.
    """
    _may_be_set(station, slot, data, confirmed=confirmed)
    if slot in known(station).priority:
        raise NoSlot(f"slot {slot} is in use: take it out of the order first")
    changes = [(_key(slot, name), value) for name, value in _values(data)]
    options.setdefault("requested_by", "")
    made = device_model.change(station, changes, confirmed=True, subject=f"{SUBJECT}{slot}", **options)
    password = data.get("basicAuthPassword")
    if password:
        key = _key(slot, "BasicAuthPassword")
        made += device_model.change(station, [(key, str(password))], confirmed=True, **options)
    _keep(station, slot=slot, data=data, state=State.ASKED, requested_by=options["requested_by"])
    return made


def _may_be_set(station: ChargingStation, slot: int, data: dict[str, Any], *, confirmed: bool) -> None:
    if not confirmed:
        raise NotConfirmed("a wrong network profile can cut the station off: confirm the change")
    security_guards.check_profile(station, int(data.get("securityProfile") or 0))
    slots = _slots(station)
    if slots and slot not in slots:
        raise NoSlot(f"the station has no slot {slot}, but {', '.join(map(str, slots))}")  # B09.FR.05


def _slots(station: ChargingStation) -> list[int]:
    """Return the slots that the station told (valuesList of its priority), empty when it did not."""
    row = Variable.objects.filter(station=station, **PRIORITY._asdict()).first()
    return _numbers(row.values_list) if row is not None else []


def _key(slot: int, name: str) -> VariableKey:
    return VariableKey(name, SLOT, component_instance=str(slot))


def _values(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Say a profile variable by variable, VPN and APN switched on or off (B09.FR.29, B09.FR.30)."""
    pairs = [(name, data[member]) for member, name in VARIABLES.items() if member in data]
    for member, switch, names in (("vpn", "VpnEnabled", VPN), ("apn", "ApnEnabled", APN)):
        part = data.get(member) or {}
        pairs += [(name, part[inner]) for inner, name in names.items() if inner in part]
        pairs.append((switch, bool(part)))
    return [(name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in pairs]


@transaction.atomic(savepoint=False)
def answered(command: Command, *, slot: int, data: dict[str, Any], state: str, reason: str = "") -> None:
    """Keep what the station said to a profile (B09.FR.01 to FR.03); of two for a slot the newer one counts."""
    newer = Command.objects.filter(
        station=command.station, action=command.action, payload__configurationSlot=slot, pk__gt=command.pk
    )
    if not newer.exists():
        _keep(
            command.station,
            slot=slot,
            data=data,
            state=state,
            reason=reason,
            requested_by=command.requested_by,
        )


def variables_answered(command: Command, *, state: str, reason: str = "") -> None:
    """Keep what the station said to a slot that is set variable by variable; a refused part makes it refused."""
    number = command.subject.removeprefix(SUBJECT)
    rows = NetworkProfile.objects.filter(station=command.station, slot=int(number))
    if state == State.ACCEPTED:
        rows = rows.filter(state=State.ASKED)
    rows.update(state=state, reason=reason[:255], told_at=clock.now())
    events.publish(VariablesChanged(command.station_id))


def _keep(
    station: ChargingStation,
    *,
    slot: int,
    data: dict[str, Any],
    state: str,
    requested_by: str,
    reason: str = "",
) -> None:
    clean = redact.payload(data)
    NetworkProfile.objects.update_or_create(
        station=station,
        slot=slot,
        defaults={
            "url": str(clean.get("ocppCsmsUrl") or "")[:2000],
            "security_profile": int(data.get("securityProfile") or 0),
            "interface": str(data.get("ocppInterface") or "")[:20],
            "data": clean,
            "state": state,
            "reason": reason[:255],
            "requested_by": requested_by[:100],
            "told_at": clock.now(),
        },
    )
    events.publish(VariablesChanged(station.pk))


# --- the order of slots


@transaction.atomic(savepoint=False)
def set_priority(
    station: ChargingStation,
    *,
    slots: list[int],
    confirmed: bool = False,
    restart: bool = False,
    **options: Any,
) -> list[Command]:
    """Queue the order in which the station tries its slots from its next boot on (B10), and that boot on request.

    Raise `InvalidPayload` for no slot or one named twice, `NoSlot`, `NotConfirmed`, and what `requests.queue` raises.
    """
    if not slots or len(set(slots)) != len(slots):
        raise InvalidPayload("slots", "name each slot once, the first to be tried first")
    told = _slots(station)
    missing = [slot for slot in slots if told and slot not in told]
    if missing:
        raise NoSlot(f"the station has no slot {missing[0]}, but {', '.join(map(str, told))}")
    if not confirmed:
        raise NotConfirmed("a station that cannot connect as its slots say is cut off: confirm the change")
    made = _order(station, ",".join(map(str, slots)), **options)
    if restart:
        made.append(requests.queue(station, "restart", facts={}, **options))
    return made


def _order(station: ChargingStation, order: str, **options: Any) -> list[Command]:
    subject = f"{ORDER}{order}"[:SUBJECT_LENGTH]
    return device_model.change(station, [(PRIORITY, order)], confirmed=True, subject=subject, **options)


def put_back(station: ChargingStation, former: str, *, requested_by: str = "") -> None:
    """Have the station try its slots in the order that it had, now or when it is back."""
    if former:
        _order(station, former, requested_by=requested_by or "security profile", queue_offline=True)
    look(station)


def look(station: ChargingStation) -> None:
    """Have the station tell which slot it uses and in which order it tries them (A05.FR.06)."""
    if is_spoken(station):
        options = {"requested_by": "verification", "queue_offline": True, "priority": commands.AUTOMATIC}
        device_model.read(station, [PRIORITY, ACTIVE, PROFILE], **options)


def ask(station: ChargingStation, **options: Any) -> list[Command]:
    """Have the station tell all of its connections: slots with their characteristics, order, the one in use (B08).

    A report says which slots there are; a plain question would not. Raise what `requests.queue` raises.
    """
    everything = VariableKey("", SLOT)
    wanted = [PRIORITY, ACTIVE, ATTEMPTS, PROFILE, everything]
    return device_model.ask_some(station, keys=wanted, **options)


# --- a higher security profile


def plan(station: ChargingStation, profile: int, wanted: Connection) -> Rise:
    """Say how a station comes to a higher security profile: a free slot, tried before the one in use (A05).

    Raise `NoSlot` when it has none or never told, `InvalidPayload` when nobody knows how it shall connect.
    """
    network = known(station)
    slot = wanted.slot if wanted.slot is not None else _free(network)
    use = network.active or next((found for found in network.slots if found.place == 1), None)
    if use is not None and slot == use.number:
        raise NoSlot(f"slot {slot} is in use: a station that could not come back through it would be lost")
    if use is not None and use.is_special and not wanted.more:
        raise InvalidPayload(
            "more", "it connects by VPN or mobile network: say how, for nobody can read that"
        )
    others = [number for number in network.priority if number != slot]
    if use is not None:
        others = [use.number, *(number for number in others if number != use.number)]
    order = [slot, *others]
    return Rise(
        slot,
        wanted.profile(profile, like=use),
        ",".join(map(str, order)),
        ",".join(map(str, network.priority)),
    )


def _free(network: Network) -> int:
    """Choose a slot that the station does not use: rather one that it would not even try."""
    spare = [slot for slot in network.slots if not slot.is_active]
    if not network.priority or not spare:
        raise NoSlot("the station told no free slot: have it tell its variables, or name one")
    return max(spare, key=lambda slot: (slot.place is None, slot.place or 0, -slot.number)).number


def our_url(profile: int) -> str:
    """Return where stations connect to us with this profile, without their identity; raise `InvalidPayload`."""
    base = settings.PUBLIC_URL.replace("https://", "wss://", 1).replace("http://", "ws://", 1)
    if profile < ChargingStation.SecurityProfile.TLS or base.startswith("wss://"):
        return f"{base}/ocpp"
    if not settings.OCPP_TLS_PORT:
        raise InvalidPayload("url", "say where we serve TLS (wss://…): PUBLIC_URL has none")
    return f"wss://{urlsplit(base).hostname}:{settings.OCPP_TLS_PORT}/ocpp"
