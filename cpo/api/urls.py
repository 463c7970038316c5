"""The operator REST API under /api/v1/: the contents page. Each path answers with and without its last slash."""

from django.urls import URLPattern, path, re_path
from rest_framework.views import APIView

from cpo.api.views import (
    cdrs,
    certificates,
    commands,
    configuration,
    configuration_templates,
    energy_services,
    firmware,
    local_lists,
    logs,
    messages,
    network,
    not_found,
    partners,
    quirks,
    remote,
    reservations,
    security,
    security_profiles,
    session_figures,
    session_limits,
    sessions,
    smart_charging,
    stations,
    tariffs,
    tokens,
    work,
)

TEXT, NUMBER = r"(?P<{}>[^/\x00]+)", r"(?P<{}>[1-9][0-9]{{0,17}})"
NUMBERS = {"assignment_id", "certificate_id", "item_id", "partner_id", "root_id", "template_id"}


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
    route("stations/<identity>/der-controls/", energy_services.StationDERControls, "station-der-controls"),
    route(
        "stations/<identity>/der-controls/clear/",
        energy_services.StationDERControlsClear,
        "station-der-controls-clear",
    ),
    route(
        "stations/<identity>/der-controls/read/",
        energy_services.StationDERControlsRead,
        "station-der-controls-read",
    ),
    route("stations/<identity>/der-alarms/", energy_services.StationDERAlarms, "station-der-alarms"),
    route("stations/<identity>/grid-signals/", energy_services.StationGridSignals, "station-grid-signals"),
    route("stations/<identity>/battery-swaps/", energy_services.StationBatterySwaps, "station-battery-swaps"),
    route("stations/<identity>/station-tariffs/", energy_services.StationTariffs, "station-tariffs"),
    route(
        "stations/<identity>/station-tariffs/read/",
        energy_services.StationTariffsRead,
        "station-tariffs-read",
    ),
    route(
        "stations/<identity>/station-tariffs/clear/",
        energy_services.StationTariffsClear,
        "station-tariffs-clear",
    ),
    route("stations/<identity>/web-payments/", energy_services.StationWebPayments, "station-web-payments"),
    route(
        "sessions/<uid>/energy-transfer/", energy_services.SessionEnergyTransfer, "session-energy-transfer"
    ),
    route("sessions/<uid>/station-cost/", energy_services.SessionStationCost, "session-station-cost"),
    route("sessions/<uid>/tariff/", energy_services.SessionTariff, "session-tariff"),
    route("settlements/", energy_services.SettlementList, "settlements"),
    route("reservations/", reservations.ReservationList, "reservations"),
    route("reservations/<uid>/", reservations.ReservationDetail, "reservation"),
    route("reservations/<uid>/cancel/", reservations.ReservationCancel, "reservation-cancel"),
    route("stations/<identity>/security/", security_profiles.StationSecurity, "station-security"),
    route("stations/<identity>/security-profile/", security_profiles.StationProfile, "station-profile"),
    route(
        "stations/<identity>/password-change/",
        security_profiles.StationPasswordChange,
        "station-password-change",
    ),
    route("password-changes/", security_profiles.PasswordChanges, "password-changes"),
    route("stations/<identity>/aliases/", security_profiles.StationAliases, "station-aliases"),
    route("stations/<identity>/aliases/<item_id>/", security_profiles.StationAliasDetail, "station-alias"),
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
    route("stations/<identity>/logs/", logs.StationLogs, "station-logs"),
    route("stations/<identity>/firmware-images/", firmware.StationImages, "station-firmware-images"),
    route("stations/<identity>/firmware-updates/", firmware.StationUpdates, "station-firmware-updates"),
    route("logs/", logs.LogList, "logs"),
    route("logs/<uid>/", logs.LogDetail, "log"),
    route("logs/<uid>/cancel/", logs.LogCancel, "log-cancel"),
    route("logs/<uid>/file/", logs.LogFile, "log-file"),
    route("firmware-images/", firmware.ImageList, "firmware-images"),
    route("firmware-images/<uid>/", firmware.ImageDetail, "firmware-image"),
    route("firmware-images/<uid>/withdraw/", firmware.ImageWithdraw, "firmware-image-withdraw"),
    route("trusted-signers/", firmware.SignerList, "firmware-signers"),
    route("trusted-signers/<item_id>/", firmware.SignerDetail, "firmware-signer"),
    route("firmware-updates/", firmware.UpdateList, "updates"),
    route("firmware-updates/<uid>/", firmware.UpdateDetail, "update"),
    route("firmware-updates/<uid>/cancel/", firmware.UpdateCancel, "update-cancel"),
    route("firmware-updates/<uid>/retry/", firmware.UpdateRetry, "update-retry"),
    route("firmware-campaigns/", firmware.CampaignList, "firmware-campaigns"),
    route("firmware-campaigns/<uid>/", firmware.CampaignDetail, "firmware-campaign"),
    route("firmware-campaigns/<uid>/start/", firmware.CampaignStart, "firmware-campaign-start"),
    route("firmware-campaigns/<uid>/halt/", firmware.CampaignHalt, "firmware-campaign-halt"),
    route("firmware-campaigns/<uid>/cancel/", firmware.CampaignCancel, "firmware-campaign-cancel"),
    route("commands/", commands.CommandList, "commands"),
    route("commands/<uid>/", commands.CommandDetail, "command"),
    route("sessions/", sessions.SessionList, "sessions"),
    route("sessions/<uid>/", sessions.SessionDetail, "session"),
    route("sessions/<uid>/meter-values/", sessions.SessionMeterValues, "session-meter-values"),
    route("sessions/<uid>/stop/", remote.SessionStop, "session-stop"),
    route("sessions/<uid>/close/", sessions.SessionClose, "session-close"),
    route("sessions/<uid>/correct/", session_figures.SessionCorrect, "session-correct"),
    route("sessions/<uid>/corrections/", session_figures.SessionCorrections, "session-corrections"),
    route("sessions/<uid>/limits/", session_limits.SessionLimits, "session-limits"),
    route("sessions/<uid>/merge/", session_figures.SessionMerge, "session-merge"),
    route("sessions/<uid>/release/", session_figures.SessionRelease, "session-release"),
    route("sessions/<uid>/signed-values/", session_figures.SessionSignedValues, "session-signed-values"),
    route(
        "sessions/<uid>/signed-values/export/", session_figures.SessionSignedExport, "session-signed-export"
    ),
    route("unmatched-stops/", session_figures.UnmatchedStopList, "unmatched-stops"),
    route("token-groups/", tokens.TokenGroupList, "token-groups"),
    route("token-groups/<uid>/", tokens.TokenGroupDetail, "token-group"),
    route("unknown-tokens/", tokens.UnknownTokenList, "unknown-tokens"),
    route("unknown-tokens/<item_id>/accept/", tokens.UnknownTokenAccept, "token-unknown-accept"),
    route("unknown-tokens/<item_id>/ignore/", tokens.UnknownTokenIgnore, "token-unknown-ignore"),
    route("local-lists/", local_lists.LocalLists, "local-lists"),
    route("stations/<identity>/local-list/", local_lists.StationLocalList, "station-local-list"),
    route(
        "stations/<identity>/local-list/send/", local_lists.StationLocalListSend, "station-local-list-send"
    ),
    route("locations/<uid>/local-list/", local_lists.LocationLocalLists, "location-local-list"),
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
    route("certificates/", certificates.CertificateList, "certificates"),
    route("certificates/<certificate_id>/", certificates.CertificateDetail, "certificate"),
    route("certificates/<certificate_id>/retry/", certificates.CertificateRetry, "certificate-retry"),
    route("certificates/<certificate_id>/revoke/", certificates.CertificateRevoke, "certificate-revoke"),
    route("root-certificates/", certificates.RootCertificateList, "root-certificates"),
    route("root-certificates/<root_id>/", certificates.RootCertificateDetail, "root-certificate"),
    route("certificate-authority/", certificates.CertificateAuthority, "certificate-authority"),
    route("stations/<identity>/certificates/", certificates.StationCertificates, "station-certificates"),
    route(
        "stations/<identity>/installed-certificates/",
        certificates.StationInstalledCertificates,
        "station-installed-certificates",
    ),
    route(
        "stations/<identity>/installed-certificates/read/",
        certificates.StationInstalledCertificatesRead,
        "station-installed-certificates-read",
    ),
    route(
        "stations/<identity>/installed-certificates/<certificate_id>/",
        certificates.StationInstalledCertificate,
        "station-installed-certificate",
    ),
    route("security-events/", security.SecurityEventList, "security-events"),
    route("review-items/", work.ReviewItemList, "review-items"),
    route("review-items/<item_id>/candidates/", session_figures.ReviewItemCandidates, "item-candidates"),
    route("review-items/<item_id>/resolve/", work.ReviewItemResolve, "review-item-resolve"),
    route("onboarding/", work.OnboardingList, "onboarding"),
    route("onboarding/<identity>/accept/", work.OnboardingAccept, "onboarding-accept"),
    route("onboarding/<identity>/ignore/", work.OnboardingIgnore, "onboarding-ignore"),
    route("audit-events/", work.AuditEventList, "audit-events"),
    re_path(r"", not_found.NotFound.as_view(), name="api-not-found"),
]
