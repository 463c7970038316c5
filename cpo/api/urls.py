"""The operator REST API under /api/v1/: the contents page. Each path answers with and without its last slash."""

from django.urls import URLPattern, path, re_path
from rest_framework.views import APIView

from cpo.api.views import (
    cdrs,
    commands,
    configuration,
    configuration_templates,
    messages,
    network,
    not_found,
    partners,
    quirks,
    remote,
    reservations,
    security,
    sessions,
    smart_charging,
    stations,
    tariffs,
    tokens,
    work,
)

TEXT, NUMBER = r"(?P<{}>[^/\x00]+)", r"(?P<{}>[1-9][0-9]{{0,17}})"
NUMBERS = {"template_id", "item_id", "assignment_id", "partner_id"}


def route(words: str, view: type[APIView], name: str) -> URLPattern:
    """Give the pattern of a path such as `stations/<identity>/`, whose last slash may be left out."""
    pattern = "/".join(_part(part) for part in words.strip("/").split("/"))
    return re_path(f"^{pattern}/?$", view.as_view(), name=f"api-{name}")


def _part(part: str) -> str:
    if not part.startswith("<"):
        return part
    name = part[1:-1]
    return (NUMBER if name in NUMBERS else TEXT).format(name)


urlpatterns: list[URLPattern] = [
    route("operators/", network.OperatorList, "operators"),
    route("locations/", network.LocationList, "locations"),
    route("locations/<uid>/", network.LocationDetail, "location"),
    route("stations/", stations.StationList, "stations"),
    route("stations/<identity>/", stations.StationDetail, "station"),
    route("stations/<identity>/commands/", commands.StationCommands, "station-commands"),
    route("stations/<identity>/configuration/", configuration.StationConfiguration, "station-configuration"),
    route(
        "stations/<identity>/configuration/<key>/",
        configuration.StationConfigurationKey,
        "station-configuration-key",
    ),
    route(
        "stations/<identity>/configuration-alignment/",
        configuration_templates.StationAlignment,
        "station-configuration-alignment",
    ),
    route("configuration-drift/", configuration_templates.DriftList, "configuration-drift"),
    route("configuration-templates/", configuration_templates.TemplateList, "configuration-templates"),
    route(
        "configuration-templates/<template_id>/",
        configuration_templates.TemplateDetail,
        "configuration-template",
    ),
    route("stations/<identity>/messages/", messages.StationMessages, "station-messages"),
    route("stations/<identity>/availability/", remote.StationAvailability, "station-availability"),
    route("reservations/", reservations.ReservationList, "reservations"),
    route("reservations/<uid>/", reservations.ReservationDetail, "reservation"),
    route("reservations/<uid>/cancel/", reservations.ReservationCancel, "reservation-cancel"),
    route("stations/<identity>/quirks/", quirks.StationQuirks, "station-quirks"),
    route("stations/<identity>/quirks/<flag>/", quirks.StationQuirkFlag, "station-quirk"),
    route("quirks/", quirks.KnownQuirks, "quirks"),
    path("quirks/export.yaml", quirks.QuirkExport.as_view(), name="api-quirk-export"),
    route("charging-profiles/", smart_charging.ChargingProfileList, "charging-profiles"),
    route("charging-profiles/<uid>/", smart_charging.ChargingProfileDetail, "charging-profile"),
    route(
        "stations/<identity>/charging-profiles/",
        smart_charging.StationChargingProfiles,
        "station-charging-profiles",
    ),
    route(
        "stations/<identity>/charging-profiles/<uid>/",
        smart_charging.StationChargingProfile,
        "station-charging-profile",
    ),
    route(
        "stations/<identity>/composite-schedule/",
        smart_charging.StationCompositeSchedule,
        "station-composite-schedule",
    ),
    route(
        "stations/<identity>/charging-capabilities/",
        smart_charging.StationChargingCapabilities,
        "station-charging-capabilities",
    ),
    route("commands/", commands.CommandList, "commands"),
    route("commands/<uid>/", commands.CommandDetail, "command"),
    route("sessions/", sessions.SessionList, "sessions"),
    route("sessions/<uid>/", sessions.SessionDetail, "session"),
    route("sessions/<uid>/meter-values/", sessions.SessionMeterValues, "session-meter-values"),
    route("sessions/<uid>/stop/", remote.SessionStop, "session-stop"),
    route("sessions/<uid>/close/", sessions.SessionClose, "session-close"),
    route("tokens/", tokens.TokenList, "tokens"),
    re_path(
        r"^tokens/(?P<uid>[^\x00]+?)/?$", tokens.TokenDetail.as_view(), name="api-token"
    ),  # may hold a slash
    route("tariffs/", tariffs.TariffList, "tariffs"),
    route("tariffs/price/", tariffs.TariffPrice, "tariff-price"),
    route("tariffs/<uid>/", tariffs.TariffDetail, "tariff"),
    route("tariffs/<uid>/assignments/", tariffs.TariffAssignments, "tariff-assignments"),
    route("tariffs/<uid>/assignments/<assignment_id>/", tariffs.TariffAssignmentEnd, "tariff-assignment"),
    route("cdrs/", cdrs.CdrList, "cdrs"),
    path("cdrs/export.csv", cdrs.CdrExport.as_view(), name="api-cdr-export"),
    route("cdrs/<uid>/", cdrs.CdrDetail, "cdr"),
    route("partners/", partners.PartnerList, "partners"),
    route("partners/<partner_id>/", partners.PartnerDetail, "partner"),
    route("partners/<partner_id>/pause/", partners.PartnerPause, "partner-pause"),
    route("partners/<partner_id>/resume/", partners.PartnerResume, "partner-resume"),
    route("partners/<partner_id>/rotate/", partners.PartnerRotate, "partner-rotate"),
    route("partners/<partner_id>/pushes/", partners.PartnerPushes, "partner-pushes"),
    route("security-events/", security.SecurityEventList, "security-events"),
    route("review-items/", work.ReviewItemList, "review-items"),
    route("review-items/<item_id>/resolve/", work.ReviewItemResolve, "review-item-resolve"),
    route("onboarding/", work.OnboardingList, "onboarding"),
    route("onboarding/<identity>/accept/", work.OnboardingAccept, "onboarding-accept"),
    route("onboarding/<identity>/ignore/", work.OnboardingIgnore, "onboarding-ignore"),
    route("audit-events/", work.AuditEventList, "audit-events"),
    re_path(r"", not_found.NotFound.as_view(), name="api-not-found"),
]
