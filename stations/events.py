"""What happened in the charging network: frozen facts of ids, published after commit by `stations/services`.

Subscribers (console, billing, roaming) write a row or nudge; see `cpo.lib.events`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StationConnected:
    station_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class StationDisconnected:
    station_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class StationChanged:
    """A station's own row changed: boot facts, registration, name, location."""

    station_id: int


@dataclass(frozen=True, slots=True)
class LocationChanged:
    """A location or one of its EVSEs or connectors changed in what partners see, statuses excepted."""

    location_id: int


@dataclass(frozen=True, slots=True)
class StatusesChanged:
    """Connector statuses were committed; one event for a whole batch."""

    evse_ids: frozenset[int]
    station_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class SessionStarted:
    session_id: int
    station_id: int


@dataclass(frozen=True, slots=True)
class SessionsUpdated:
    """Readings of these sessions were committed; one event for a whole batch."""

    session_ids: frozenset[int]
    station_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class SessionEnded:
    session_id: int
    station_id: int


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """A session changed in another way: reopened, flagged, late readings after its end."""

    session_id: int
    station_id: int


@dataclass(frozen=True, slots=True)
class CommandChanged:
    command_id: int
    station_id: int
    status: str


@dataclass(frozen=True, slots=True)
class VariablesChanged:
    """What a station is set to was reported, or is wished otherwise."""

    station_id: int


@dataclass(frozen=True, slots=True)
class QuirksChanged:
    """What is odd about a station was seen, set or taken back."""

    station_id: int


@dataclass(frozen=True, slots=True)
class ReservationChanged:
    """A reservation was made, answered, used, or is over."""

    reservation_id: int
    station_id: int
    status: str


@dataclass(frozen=True, slots=True)
class RemoteRequestChanged:
    """It is known, or known better, what came of a remote start, stop or reset."""

    request_id: int
    station_id: int
    state: str


@dataclass(frozen=True, slots=True)
class DERControlChanged:
    """Controls, reports or alarms of a station that feeds the grid changed."""

    station_id: int


@dataclass(frozen=True, slots=True)
class EnergyServicesChanged:
    """Grid signals, battery swaps, tariffs at the station, its costs or settlements changed."""

    station_id: int


@dataclass(frozen=True, slots=True)
class AvailabilityChanged:
    """What an operator wants a station's availability to be, or whether it is so, changed."""

    station_id: int


@dataclass(frozen=True, slots=True)
class TokenChanged:
    token_id: int


@dataclass(frozen=True, slots=True)
class UnknownTokenShown:
    """Somebody showed a token that nobody knows, or an operator looked after such a row."""

    station_id: int


@dataclass(frozen=True, slots=True)
class LocalListChanged:
    """What a station's local authorization list has or shall have is another thing now."""

    station_id: int


@dataclass(frozen=True, slots=True)
class FramesStored:
    """Journal rows of these stations were committed; one event for a whole batch."""

    station_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class ReviewItemChanged:
    item_id: int


@dataclass(frozen=True, slots=True)
class SecurityEventRecorded:
    station_id: int
    event_id: int


@dataclass(frozen=True, slots=True)
class OnboardingChanged:
    """An unknown station knocked, or a handshake was refused."""

    identity: str


@dataclass(frozen=True, slots=True)
class CertificatesChanged:
    """A station's certificates changed: asked for, issued, accepted, installed, deleted, revoked, expired."""

    station_id: int


@dataclass(frozen=True, slots=True)
class FilesChanged:
    """Firmware updates, logs or files of a station changed."""

    station_id: int


@dataclass(frozen=True, slots=True)
class CustomerInformationChanged:
    """What a station was asked about customers, or told of them, changed."""

    station_id: int


@dataclass(frozen=True, slots=True)
class FirmwareLibraryChanged:
    """Images, trusted signers or campaigns changed."""


@dataclass(frozen=True, slots=True)
class ChargingProfilesChanged:
    """What lies on a station, shall lie there, or was told of its composite schedule changed."""

    station_id: int


@dataclass(frozen=True, slots=True)
class ProfileTemplateChanged:
    """A charging profile of the library changed."""

    template_id: int


@dataclass(frozen=True, slots=True)
class MonitoringChanged:
    """Monitors, events, incidents or event streams of a station changed."""

    station_id: int


@dataclass(frozen=True, slots=True)
class DisplayMessagesChanged:
    """What lies on a station's display, or shall lie there, changed."""

    station_id: int


@dataclass(frozen=True, slots=True)
class SitePowerChanged:
    """The power tree of a site changed, or what its outlets may draw."""

    location_id: int
