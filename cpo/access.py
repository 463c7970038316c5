"""Who may do what, and who sees which rows: the one place that console, API, exports and live updates ask.

`may(principal, action)` answers for the role, the functions below give the rows in the principal's scope. A row out
of scope does not exist for him: views answer 404, never 403.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.models import Cdr, Payment, Tariff
from cpo.models import ApiToken, AuditEvent, Membership, Role
from roaming.models import Connection
from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    ConfigurationTemplate,
    CustomerRequest,
    FirmwareCampaign,
    FirmwareImage,
    FirmwarePublication,
    FirmwareUpdate,
    IdToken,
    InstalledCertificate,
    LocalList,
    Location,
    LogUpload,
    OnboardingStation,
    Operator,
    ProfileTemplate,
    Reservation,
    ReviewItem,
    SecurityEvent,
    Settlement,
    StationCertificate,
    StationIncident,
    TokenGroup,
    TrustedSigner,
    UnknownToken,
    UnmatchedStop,
    Variable,
)

_ALL = frozenset(Role)
_ADMIN, _AUDITOR, _FINANCE, _OPERATOR = Role.ADMIN, Role.AUDITOR, Role.FINANCE, Role.OPERATOR
_PRICING, _ROAMING, _SUPPORT = Role.PRICING, Role.ROAMING, Role.SUPPORT

# Action -> roles that may do it. A command's action is told by `command_action`.
ACTIONS: dict[str, frozenset[Role]] = {
    "view": _ALL,  # network, sessions, commands, id tokens, tariffs, CDRs, review items
    "message.view": frozenset({_SUPPORT, _OPERATOR, _AUDITOR, _ADMIN}),  # raw frames
    "command.safe": frozenset({_SUPPORT, _OPERATOR, _ADMIN}),
    "command.dangerous": frozenset({_OPERATOR, _ADMIN}),
    "display.write": frozenset({_OPERATOR, _ADMIN}),  # messages on displays, news for drivers
    "firmware.view": frozenset({_SUPPORT, _OPERATOR, _AUDITOR, _ADMIN}),  # the library and campaigns
    "firmware.library": frozenset({_OPERATOR, _ADMIN}),  # images and campaigns
    "firmware.trust": frozenset({_ADMIN}),  # whose signatures count
    "firmware.update": frozenset({_OPERATOR, _ADMIN}),
    "log.view": frozenset({_SUPPORT, _OPERATOR, _AUDITOR, _ADMIN}),  # files that stations uploaded
    "log.request": frozenset({_SUPPORT, _OPERATOR, _ADMIN}),
    "customer.view": frozenset({_OPERATOR, _ADMIN}),  # what stations told about customers: personal data
    "customer.request": frozenset({_OPERATOR, _ADMIN}),  # ask stations about customers, let them forget
    "station.write": frozenset({_OPERATOR, _ADMIN}),
    "station.security": frozenset({_OPERATOR, _ADMIN}),  # its password, its security profile, its aliases
    "charging_profile.write": frozenset({_OPERATOR, _ADMIN}),  # the library of charging profiles
    "site_power.write": frozenset({_OPERATOR, _ADMIN}),  # the power tree of a site, whether it is balanced
    "site_power.meter": frozenset({_SUPPORT, _OPERATOR, _ADMIN}),  # what a building draws
    "configuration.write": frozenset({_OPERATOR, _ADMIN}),  # templates of desired values
    "location.write": frozenset({_OPERATOR, _ADMIN}),
    "operator.write": frozenset({_ADMIN}),
    "onboarding.view": frozenset({_SUPPORT, _OPERATOR, _AUDITOR, _ADMIN}),
    "onboarding.accept": frozenset({_OPERATOR, _ADMIN}),
    "session.close": frozenset({_OPERATOR, _ADMIN}),
    "session.correct": frozenset({_OPERATOR, _FINANCE, _ADMIN}),  # its energy; which stop was its end
    "session.release": frozenset({_OPERATOR, _FINANCE, _ADMIN}),  # bill what is held
    "reservation.write": frozenset({_SUPPORT, _OPERATOR, _ADMIN}),
    "certificate.revoke": frozenset({_OPERATOR, _ADMIN}),
    "root.write": frozenset({_ADMIN}),  # whose certificates are believed
    "review.resolve": frozenset({_SUPPORT, _OPERATOR, _FINANCE, _ADMIN}),
    "token.write": frozenset({_SUPPORT, _OPERATOR, _ADMIN}),
    "local_list.write": frozenset({_OPERATOR, _ADMIN}),  # who may charge without us being asked
    "tariff.write": frozenset({_PRICING, _ADMIN}),
    "cdr.export": frozenset({_FINANCE, _AUDITOR, _ADMIN}),
    "cdr.credit": frozenset({_FINANCE, _ADMIN}),
    "payment.refund": frozenset({_FINANCE, _ADMIN}),
    "payment.start": frozenset({_OPERATOR, _ADMIN}),  # for a payment that a kiosk had authorised
    "partner.view": frozenset({_ROAMING, _AUDITOR, _ADMIN}),
    "partner.write": frozenset({_ROAMING, _ADMIN}),
    "audit.view": frozenset({_AUDITOR, _ADMIN}),
    "user.admin": frozenset({_ADMIN}),
}
# What belongs to no operator can only be done by somebody whose scope is the whole network.
NETWORK_WIDE = frozenset(
    {
        "firmware.view",
        "firmware.library",
        "firmware.trust",
        "operator.write",
        "onboarding.view",
        "onboarding.accept",
        "token.write",
        "partner.view",
        "partner.write",
        "root.write",
        "audit.view",
        "user.admin",
    }
)

# What is an operator's as a whole cannot be done by somebody who is limited to some of its locations.
OPERATOR_WIDE = frozenset({"charging_profile.write", "tariff.write"})

# Commands that read, or that first-line support may give; everything else is dangerous.
SAFE_COMMANDS = frozenset(
    {
        "GetBaseReport",
        "GetChargingProfiles",
        "GetCompositeSchedule",
        "GetConfiguration",
        "GetDERControl",
        "GetDisplayMessages",
        "GetInstalledCertificateIds",
        "GetLocalListVersion",
        "GetMonitoringReport",
        "GetPeriodicEventStream",
        "GetReport",
        "GetTariffs",
        "GetTransactionStatus",
        "GetVariables",
        "RemoteStopTransaction",
        "RequestStopTransaction",
        "TriggerMessage",
        "ExtendedTriggerMessage",
        "UnlockConnector",
    }
)
SOFT_RESETS = frozenset({"Soft", "OnIdle"})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `operator_ids` and `location_ids`: None means not limited by that; both given means both must fit."""

    name: str  # 'user:ada', 'token:billing export': for audit and `Command.requested_by`
    role: Role | None  # None: may do nothing
    operator_ids: frozenset[int] | None = None
    location_ids: frozenset[int] | None = None
    user: Any = None  # the Django user, for `Command.user`
    api_token: ApiToken | None = None

    @property
    def is_network_wide(self) -> bool:
        """True when no operator and no location limits what is seen."""
        return self.operator_ids is None and self.location_ids is None

    @classmethod
    def of_user(cls, user: Any) -> "Principal":
        """Build it from a Django user: one query, none for a superuser or an anonymous user."""
        name = f"user:{user.get_username()}"
        if not user.is_authenticated or not user.is_active:
            return cls(name=name, role=None, operator_ids=frozenset())
        if user.is_superuser:
            return cls(name=name, role=Role.ADMIN, user=user)
        grant = Membership.objects.with_scope().filter(user=user).first()
        if grant is None:
            return cls(name=name, role=None, operator_ids=frozenset(), user=user)
        return cls(name=name, role=Role(grant.role), user=user, **_scope(grant))

    @classmethod
    def of_token(cls, token: ApiToken) -> "Principal":
        """Build it from an API token that was read with `with_scope()`."""
        return cls(name=f"token:{token.name}", role=Role(token.role), api_token=token, **_scope(token))


NETWORK = Principal(
    name="network", role=None
)  # sees all rows and may do nothing: for reads on nobody's behalf


def _scope(grant: Any) -> dict[str, Any]:
    operators = frozenset(i for i in grant.scope_operators if i is not None)
    locations = frozenset(i for i in grant.scope_locations if i is not None)
    return {"operator_ids": operators or None, "location_ids": locations or None}


def may(principal: Principal, action: str) -> bool:
    """Tell whether the principal's role and scope allow the action; KeyError for an action nobody declared."""
    if action in NETWORK_WIDE and not principal.is_network_wide:
        return False
    if action in OPERATOR_WIDE and principal.location_ids is not None:
        return False
    return principal.role in ACTIONS[action]


def command_action(action: str, payload: Any) -> str:
    """Name the permission that an OCPP command needs: 'command.safe' or 'command.dangerous'."""
    soft = action == "Reset" and isinstance(payload, dict) and str(payload.get("type")) in SOFT_RESETS
    return "command.safe" if soft or action in SAFE_COMMANDS else "command.dangerous"


def _limits(principal: Principal, location: str, operator: str | None = None) -> dict[str, Any]:
    """Give the filter for rows whose location is at the lookup `location` ('' for a location itself)."""
    limits: dict[str, Any] = {}
    if principal.location_ids is not None:
        limits[f"{location}id__in" if not location else f"{location}_id__in"] = principal.location_ids
    if principal.operator_ids is not None:
        path = operator if operator is not None else (f"{location}__operator" if location else "operator")
        limits[f"{path}_id__in"] = principal.operator_ids
    return limits


def operators(principal: Principal) -> QuerySet[Operator]:
    """Own parties in scope; somebody limited to locations sees the operators of those."""
    rows = Operator.objects.all()
    if principal.operator_ids is not None:
        rows = rows.filter(id__in=principal.operator_ids)
    if principal.location_ids is not None:
        theirs = Location.objects.filter(id__in=principal.location_ids, operator=OuterRef("pk"))
        rows = rows.filter(Exists(theirs))
    return rows


def locations(principal: Principal) -> QuerySet[Location]:
    """Locations in scope."""
    return Location.objects.filter(**_limits(principal, ""))


def stations(principal: Principal) -> QuerySet[ChargingStation]:
    """Stations in scope. One without a location is seen by those of the whole network only."""
    return ChargingStation.objects.filter(**_limits(principal, "location"))


def sessions(principal: Principal) -> QuerySet[ChargingSession]:
    """Charging sessions at stations in scope."""
    return ChargingSession.objects.filter(**_limits(principal, "station__location"))


def commands(principal: Principal) -> QuerySet[Command]:
    """Commands to stations in scope."""
    return Command.objects.filter(**_limits(principal, "station__location"))


def settlements(principal: Principal) -> QuerySet[Settlement]:
    """Settlements of payment terminals in scope."""
    return Settlement.objects.filter(**_limits(principal, "station__location"))


def reservations(principal: Principal) -> QuerySet[Reservation]:
    """Reservations at stations in scope."""
    return Reservation.objects.filter(**_limits(principal, "station__location"))


def review_items(principal: Principal) -> QuerySet[ReviewItem]:
    """Review items about stations in scope; one about no station is for those of the whole network."""
    return ReviewItem.objects.filter(**_limits(principal, "station__location"))


def profile_templates(principal: Principal) -> QuerySet[ProfileTemplate]:
    """Charging profiles in the libraries of the operators in scope."""
    if principal.is_network_wide:
        return ProfileTemplate.objects.all()
    return ProfileTemplate.objects.filter(operator__in=operators(principal))


def variables(principal: Principal) -> QuerySet[Variable]:
    """Settings of stations in scope."""
    return Variable.objects.filter(**_limits(principal, "station__location"))


def configuration_templates(principal: Principal) -> QuerySet[ConfigurationTemplate]:
    """Templates that may fit a station in scope."""
    return ConfigurationTemplate.objects.filter(
        Q(location=None) | Q(location__in=locations(principal)),
        Q(operator=None) | Q(operator__in=operators(principal)),
    )


def writable_templates(principal: Principal) -> QuerySet[ConfigurationTemplate]:
    """Templates that fit no station out of scope."""
    if principal.is_network_wide:
        return ConfigurationTemplate.objects.all()
    ours = Q(location__in=locations(principal))
    if principal.location_ids is None:
        ours |= Q(operator__in=operators(principal), location=None)
    return ConfigurationTemplate.objects.filter(ours)


def may_write_template(principal: Principal, *, location_id: int | None, operator_id: int | None) -> bool:
    """Tell whether a template with these conditions fits no station out of scope."""
    if location_id is not None:
        return locations(principal).filter(pk=location_id).exists()
    if principal.is_network_wide:
        return True
    theirs = operator_id is not None and operators(principal).filter(pk=operator_id).exists()
    return principal.location_ids is None and theirs


def firmware_updates(principal: Principal) -> QuerySet[FirmwareUpdate]:
    """Firmware updates of stations in scope."""
    return FirmwareUpdate.objects.filter(**_limits(principal, "station__location"))


def firmware_publications(principal: Principal) -> QuerySet[FirmwarePublication]:
    """Firmware on local controllers in scope."""
    return FirmwarePublication.objects.filter(**_limits(principal, "station__location"))


def customer_requests(principal: Principal) -> QuerySet[CustomerRequest]:
    """Questions about customers to stations in scope."""
    return CustomerRequest.objects.filter(**_limits(principal, "station__location"))


def log_uploads(principal: Principal) -> QuerySet[LogUpload]:
    """Logs of stations in scope."""
    return LogUpload.objects.filter(**_limits(principal, "station__location"))


def firmware_images(principal: Principal) -> QuerySet[FirmwareImage]:
    """Images belong to no operator: nothing for a limited principal, who is shown what fits a station of his."""
    rows = FirmwareImage.objects.all()
    return rows if principal.is_network_wide else rows.none()


def firmware_campaigns(principal: Principal) -> QuerySet[FirmwareCampaign]:
    """Campaigns go over operators: nothing for a limited principal."""
    rows = FirmwareCampaign.objects.all()
    return rows if principal.is_network_wide else rows.none()


def trusted_signers(principal: Principal) -> QuerySet[TrustedSigner]:
    """Whose firmware is trusted; nothing for a limited principal."""
    rows = TrustedSigner.objects.all()
    return rows if principal.is_network_wide else rows.none()


def unmatched_stops(principal: Principal) -> QuerySet[UnmatchedStop]:
    """Stops without a known transaction of stations in scope."""
    return UnmatchedStop.objects.filter(**_limits(principal, "station__location"))


def security_events(principal: Principal) -> QuerySet[SecurityEvent]:
    """Security events of stations in scope."""
    return SecurityEvent.objects.filter(**_limits(principal, "station__location"))


def incidents(principal: Principal) -> QuerySet[StationIncident]:
    """Incidents of stations in scope."""
    return StationIncident.objects.filter(**_limits(principal, "station__location"))


def station_certificates(principal: Principal) -> QuerySet[StationCertificate]:
    """Certificates of stations in scope."""
    return StationCertificate.objects.filter(**_limits(principal, "station__location"))


def installed_certificates(principal: Principal) -> QuerySet[InstalledCertificate]:
    """Roots and chains reported by stations in scope."""
    return InstalledCertificate.objects.filter(**_limits(principal, "station__location"))


def tokens(principal: Principal) -> QuerySet[IdToken]:
    """Id tokens. They belong to no operator: a limited principal sees those that charged in his scope."""
    if principal.is_network_wide:
        return IdToken.objects.all()
    return IdToken.objects.filter(Exists(sessions(principal).filter(token=OuterRef("pk"))))


def token_groups(principal: Principal) -> QuerySet[TokenGroup]:
    """Groups of tokens. They belong to no operator: nothing for a limited principal."""
    return TokenGroup.objects.all() if principal.is_network_wide else TokenGroup.objects.none()


def unknown_tokens(principal: Principal) -> QuerySet[UnknownToken]:
    """Tokens that nobody knows, shown last at stations in scope."""
    return UnknownToken.objects.filter(**_limits(principal, "station__location"))


def local_lists(principal: Principal) -> QuerySet[LocalList]:
    """Local authorization lists of stations in scope."""
    return LocalList.objects.filter(**_limits(principal, "station__location"))


def cdrs(principal: Principal) -> QuerySet[Cdr]:
    """CDRs of operators in scope; limited to locations, those of sessions there (credit CDRs with them)."""
    rows = Cdr.objects.all()
    if principal.operator_ids is not None:
        rows = rows.filter(operator_id__in=principal.operator_ids)
    if principal.location_ids is not None:
        rows = rows.filter(site_id__in=principal.location_ids)
    return rows


def payments(principal: Principal) -> QuerySet[Payment]:
    """Ad hoc payments at stations in scope."""
    return Payment.objects.filter(**_limits(principal, "station__location"))


def tariffs(principal: Principal) -> QuerySet[Tariff]:
    """Tariffs of the operators in scope."""
    if principal.is_network_wide:
        return Tariff.objects.all()
    return Tariff.objects.filter(operator__in=operators(principal))


def partners(principal: Principal) -> QuerySet[Connection]:
    """Roaming connections: of the whole network, so nothing for a limited principal."""
    return Connection.objects.all() if principal.is_network_wide else Connection.objects.none()


def onboarding(principal: Principal) -> QuerySet[OnboardingStation]:
    """Unknown stations that knocked: they belong to nobody yet, so nothing for a limited principal."""
    rows = OnboardingStation.objects.all()
    return rows if principal.is_network_wide else rows.none()


def audit_events(principal: Principal) -> QuerySet[AuditEvent]:
    """What was done by whom; nothing for a limited principal."""
    return AuditEvent.objects.all() if principal.is_network_wide else AuditEvent.objects.none()
