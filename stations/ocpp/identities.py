"""Which station knocks? The path below `/ocpp/`, as stations really send it (OCPP-J 1.6 section 3; quirk 21, case H17).

The registered spelling costs one statement, as ever. Only when nobody has it is looked for more: doubled and trailing
slashes, spaces around it, the identity twice, another case, an alias that an operator wrote down, a password behind it.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from django.db.models import Q

from stations.models import ChargingStation
from stations.services import provisioning, quirks
from stations.services.errors import InvalidIdentity

MAX_PATH = 512  # characters below /ocpp/ that are looked at


@dataclass(frozen=True, slots=True)
class Spelling:
    """What stood below `/ocpp/`: its parts, percent-decoded once, empty ones left out."""

    parts: tuple[str, ...]

    @property
    def identity(self) -> str:
        """The one identity it tells, also when it tells it twice; '' when it tells several things or nothing."""
        distinct = set(self.parts)
        return self.parts[0] if len(distinct) == 1 else ""

    @property
    def shown(self) -> str:
        """For lists and logs: what follows an identity may be a password."""
        if len(set(self.parts)) <= 1:
            return self.identity
        return f"{self.parts[0]}/…"


@dataclass(frozen=True, slots=True)
class Found:
    """The station, and the password that its path held ('' for none)."""

    station: ChargingStation
    path_password: str = ""


def spelling_of(path: str) -> Spelling:
    """Read a raw path (percent-encoded, without query)."""
    tail = path[: MAX_PATH + 16].removeprefix("/ocpp")
    return Spelling(tuple(unquote(part) for part in tail.split("/") if part))


def find(spelling: Spelling) -> Found | None:
    """Return the station that is meant, or None: unknown, or not to be told which (blocking)."""
    if spelling.identity and _is_possible(spelling.identity):
        station = ChargingStation.objects.filter(identity=spelling.identity).first()
        if station is not None:
            return Found(station)
    return _by_other_spelling(spelling) or _with_password(spelling)


def told_identity(spelling: Spelling) -> str | None:
    """Return the identity of an unknown station as it could be registered, None when it cannot be."""
    return spelling.identity if _is_possible(spelling.identity) else None


def is_same(name: str, spelling: Spelling, station: ChargingStation) -> bool:
    """Tell whether a user name means this station: its identity, or just what the path said (A00.FR.204)."""
    if name in (station.identity, spelling.identity):
        return True
    return name.strip().casefold() == station.identity.casefold()


def _by_other_spelling(spelling: Spelling) -> Found | None:
    text = "/".join(spelling.parts)
    if not text or len(text) > 255 or "\x00" in text:
        return None
    clean = spelling.identity.strip()
    wanted = Q(aliases__alias__iexact=text)
    if _is_possible(clean):
        wanted |= Q(identity__iexact=clean)
    stations = list(ChargingStation.objects.filter(wanted).distinct()[:2])
    return Found(stations[0]) if len(stations) == 1 else None


def _with_password(spelling: Spelling) -> Found | None:
    """Read `<identity>/<password>`, for a station that is known to send it so and for no other."""
    if len(spelling.parts) != 2 or spelling.identity or not _is_possible(spelling.parts[0]):
        return None
    station = ChargingStation.objects.filter(identity=spelling.parts[0]).first()
    if station is None or not quirks.flags(station).get("token_in_path"):
        return None
    return Found(station, spelling.parts[1])


def _is_possible(identity: str) -> bool:
    try:
        provisioning.check_identity(identity)
    except InvalidIdentity:
        return False
    return True
