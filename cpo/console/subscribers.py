"""Events become names of changed topics for open console pages. Cheap on purpose: some run in a charger's thread.

`station:7` is the station as its page shows it, `frames:7` its message log, which changes far more often.
"""

from billing.events import CdrIssued, PaymentChanged, TariffChanged
from cpo.lib import events, nudge
from stations.events import (
    AvailabilityChanged,
    CertificatesChanged,
    ChargingProfilesChanged,
    CommandChanged,
    CustomerInformationChanged,
    DERControlChanged,
    DisplayMessagesChanged,
    EnergyServicesChanged,
    FilesChanged,
    FirmwareLibraryChanged,
    FramesStored,
    LocalListChanged,
    LocationChanged,
    MonitoringChanged,
    OnboardingChanged,
    ProfileTemplateChanged,
    QuirksChanged,
    RemoteRequestChanged,
    ReservationChanged,
    ReviewItemChanged,
    SecurityEventRecorded,
    SessionChanged,
    SessionEnded,
    SessionStarted,
    SessionsUpdated,
    SitePowerChanged,
    StationChanged,
    StationConnected,
    StationDisconnected,
    StatusesChanged,
    TokenChanged,
    UnknownTokenShown,
    VariablesChanged,
)


@events.subscribe(StationConnected)
@events.subscribe(StationDisconnected)
@events.subscribe(StationChanged)
def station_changed(event: StationConnected | StationDisconnected | StationChanged) -> None:
    nudge.topics("overview", "stations", f"station:{event.station_id}")


@events.subscribe(VariablesChanged)
def variables_changed(event: VariablesChanged) -> None:
    nudge.topics("configuration", f"station:{event.station_id}")


@events.subscribe(MonitoringChanged)
def monitoring_changed(event: MonitoringChanged) -> None:
    nudge.topics(f"station:{event.station_id}")


@events.subscribe(DisplayMessagesChanged)
def display_messages_changed(event: DisplayMessagesChanged) -> None:
    nudge.topics(f"station:{event.station_id}")


@events.subscribe(QuirksChanged)
def quirks_changed(event: QuirksChanged) -> None:
    nudge.topics(f"station:{event.station_id}")


@events.subscribe(ChargingProfilesChanged)
def charging_profiles_changed(event: ChargingProfilesChanged) -> None:
    nudge.topics(f"station:{event.station_id}")


@events.subscribe(SitePowerChanged)
def site_power_changed(event: SitePowerChanged) -> None:
    nudge.topics("sites", f"site:{event.location_id}")


@events.subscribe(ProfileTemplateChanged)
def profile_template_changed(event: ProfileTemplateChanged) -> None:
    nudge.topics("charging-profiles")


@events.subscribe(FilesChanged)
def files_changed(event: FilesChanged) -> None:
    nudge.topics(f"station:{event.station_id}", "firmware")


@events.subscribe(CustomerInformationChanged)
def customer_information_changed(event: CustomerInformationChanged) -> None:
    nudge.topics(f"station:{event.station_id}")


@events.subscribe(FirmwareLibraryChanged)
def firmware_library_changed(event: FirmwareLibraryChanged) -> None:
    nudge.topics("firmware")


@events.subscribe(LocationChanged)
def location_changed(event: LocationChanged) -> None:
    nudge.topics("stations")


@events.subscribe(StatusesChanged)
def statuses_changed(event: StatusesChanged) -> None:
    nudge.topics("overview", "stations", *(f"station:{number}" for number in event.station_ids))


@events.subscribe(FramesStored)
def frames_stored(event: FramesStored) -> None:
    nudge.topics(*(f"frames:{number}" for number in event.station_ids))


@events.subscribe(SessionsUpdated)
def sessions_updated(event: SessionsUpdated) -> None:
    nudge.topics(
        "overview",
        "sessions",
        *(f"session:{number}" for number in event.session_ids),
        *(f"station:{number}" for number in event.station_ids),
    )


@events.subscribe(SessionStarted)
@events.subscribe(SessionEnded)
@events.subscribe(SessionChanged)
def session_changed(event: SessionStarted | SessionEnded | SessionChanged) -> None:
    nudge.topics("overview", "sessions", f"session:{event.session_id}", f"station:{event.station_id}")


@events.subscribe(CommandChanged)
def command_changed(event: CommandChanged) -> None:
    nudge.topics("commands", f"station:{event.station_id}")


@events.subscribe(ReservationChanged)
def reservation_changed(event: ReservationChanged) -> None:
    nudge.topics("reservations", f"station:{event.station_id}")


@events.subscribe(RemoteRequestChanged)
def remote_request_changed(event: RemoteRequestChanged) -> None:
    nudge.topics("commands", f"station:{event.station_id}")


@events.subscribe(DERControlChanged)
@events.subscribe(EnergyServicesChanged)
def energy_services_changed(event: DERControlChanged | EnergyServicesChanged) -> None:
    nudge.topics(f"station:{event.station_id}")


@events.subscribe(AvailabilityChanged)
def availability_changed(event: AvailabilityChanged) -> None:
    nudge.topics(f"station:{event.station_id}")


@events.subscribe(TokenChanged)
@events.subscribe(UnknownTokenShown)
def token_changed(event: TokenChanged | UnknownTokenShown) -> None:
    nudge.topics("tokens")


@events.subscribe(LocalListChanged)
def local_list_changed(event: LocalListChanged) -> None:
    nudge.topics("local-lists", f"station:{event.station_id}")


@events.subscribe(ReviewItemChanged)
def review_item_changed(event: ReviewItemChanged) -> None:
    nudge.topics("overview", "review")


@events.subscribe(SecurityEventRecorded)
def security_event_recorded(event: SecurityEventRecorded) -> None:
    nudge.topics("security", f"station:{event.station_id}")


@events.subscribe(CertificatesChanged)
def certificates_changed(event: CertificatesChanged) -> None:
    nudge.topics("certificates", f"station:{event.station_id}")


@events.subscribe(OnboardingChanged)
def onboarding_changed(event: OnboardingChanged) -> None:
    nudge.topics("overview", "onboarding")


@events.subscribe(CdrIssued)
def cdr_issued(event: CdrIssued) -> None:
    names = ["overview", "cdrs"]
    if event.session_id is not None:
        names += ["sessions", f"session:{event.session_id}"]
    nudge.topics(*names)


@events.subscribe(TariffChanged)
def tariff_changed(event: TariffChanged) -> None:
    nudge.topics("tariffs")


@events.subscribe(PaymentChanged)
def payment_changed(event: PaymentChanged) -> None:
    nudge.topics("payments", f"station:{event.station_id}")
