"""The pages of the console and what can be done on them. A GET shows, a POST does."""

from django.http import HttpRequest, HttpResponseBase
from django.urls import path
from django.views.decorators.http import require_http_methods

from cpo.console.guard import View
from cpo.console.views import (
    account,
    cdrs,
    certificates,
    configuration,
    configuration_templates,
    firmware,
    local_lists,
    logs,
    onboarding,
    overview,
    partner_actions,
    partners,
    quirks,
    reservations,
    review,
    security,
    security_profiles,
    session_figures,
    sessions,
    smart_charging,
    station_actions,
    stations,
    tariffs,
    token_groups,
    tokens,
    unknown_tokens,
)


def show_or_do(*, get: View, post: View) -> View:
    """Serve one URL with a page for GET and an action for POST, so that a form that failed keeps its address."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest, **kwargs: object) -> HttpResponseBase:
        return (post if request.method == "POST" else get)(request, **kwargs)

    return view


urlpatterns = [
    path("login/", account.Login.as_view(), name="login"),
    path("logout/", account.Logout.as_view(), name="logout"),
    path("", overview.overview, name="overview"),
    path("review/", review.review, name="review"),
    path("review/<int:pk>/merge/", session_figures.merge, name="review-merge"),
    path("review/<int:pk>/resolve/", review.resolve, name="review-resolve"),
    # `new/` stands outside of `stations/`, where every word may be a station's identity.
    path("new/station/", show_or_do(get=station_actions.new, post=station_actions.add), name="station-new"),
    path("stations/", stations.stations, name="stations"),
    path("stations/<str:identity>/", stations.station, name="station"),
    path(
        "stations/<str:identity>/edit/",
        show_or_do(get=station_actions.edit, post=station_actions.change),
        name="station-edit",
    ),
    path("stations/<str:identity>/password/", station_actions.password, name="station-password"),
    path("stations/<str:identity>/commands/", station_actions.send, name="station-command"),
    path("stations/<str:identity>/configuration/", configuration.change, name="station-configuration"),
    path(
        "stations/<str:identity>/configuration/read/",
        configuration.read_again,
        name="station-configuration-read",
    ),
    path("stations/<str:identity>/profile/", security_profiles.raise_profile, name="station-profile-raise"),
    path(
        "stations/<str:identity>/profile/<int:pk>/cancel/",
        security_profiles.cancel,
        name="station-profile-cancel",
    ),
    path("stations/<str:identity>/profile/set/", security_profiles.set_by_hand, name="station-profile-set"),
    path(
        "stations/<str:identity>/password/change/",
        security_profiles.change_password,
        name="station-password-change",
    ),
    path("stations/<str:identity>/aliases/", security_profiles.add_alias, name="station-alias"),
    path(
        "stations/<str:identity>/aliases/<int:pk>/forget/",
        security_profiles.remove_alias,
        name="station-alias-remove",
    ),
    path("stations/<str:identity>/quirks/", quirks.override, name="station-quirk"),
    path("stations/<str:identity>/quirks/forget/", quirks.forget, name="station-quirk-forget"),
    path("quirks.yaml", quirks.export, name="quirks-export"),
    path("stations/<str:identity>/reserve/", reservations.reserve, name="station-reserve"),
    path(
        "stations/<str:identity>/availability/<int:pk>/forget/", reservations.forget_wish, name="wish-forget"
    ),
    path("reservations/", reservations.reservations, name="reservations"),
    path("reservations/<str:uid>/cancel/", reservations.cancel, name="reservation-cancel"),
    path("stations/<str:identity>/firmware/", firmware.plan, name="station-firmware"),
    path("stations/<str:identity>/logs/", logs.ask, name="station-log"),
    path("logs/<str:uid>/cancel/", logs.cancel, name="log-cancel"),
    path("logs/<str:uid>/file/", logs.save, name="log-file"),
    path("firmware/", firmware.firmware, name="firmware"),
    path("firmware/new/", show_or_do(get=firmware.new, post=firmware.add), name="firmware-new"),
    path("firmware/<str:uid>/withdraw/", firmware.withdraw, name="firmware-withdraw"),
    path(
        "firmware/signers/new/",
        show_or_do(get=firmware.new_signer, post=firmware.trust),
        name="firmware-signer-new",
    ),
    path("firmware/signers/<int:pk>/distrust/", firmware.distrust, name="firmware-signer-distrust"),
    path(
        "firmware/campaigns/new/",
        show_or_do(get=firmware.new_campaign, post=firmware.add_campaign),
        name="firmware-campaign-new",
    ),
    path("firmware/campaigns/<str:uid>/", firmware.campaign, name="firmware-campaign"),
    path("firmware/campaigns/<str:uid>/<str:turn>/", firmware.turn_campaign, name="firmware-campaign-turn"),
    path("firmware/updates/<str:uid>/cancel/", firmware.cancel, name="firmware-update-cancel"),
    path("firmware/updates/<str:uid>/retry/", firmware.retry, name="firmware-update-retry"),
    path("commands/<str:uid>/cancel/", station_actions.cancel, name="command-cancel"),
    path("onboarding/", onboarding.onboarding, name="onboarding"),
    path("onboarding/<int:pk>/accept/", onboarding.accept, name="onboarding-accept"),
    path("onboarding/<int:pk>/ignore/", onboarding.ignore, name="onboarding-ignore"),
    path("configuration/", configuration_templates.overview, name="fleet-configuration"),
    path(
        "configuration/new/",
        show_or_do(get=configuration_templates.new, post=configuration_templates.add),
        name="configuration-template-new",
    ),
    path(
        "configuration/<int:pk>/",
        show_or_do(get=configuration_templates.edit, post=configuration_templates.change),
        name="configuration-template",
    ),
    path(
        "configuration/<int:pk>/delete/",
        configuration_templates.delete,
        name="configuration-template-delete",
    ),
    path(
        "stations/<str:identity>/configuration/bring-in-line/",
        configuration_templates.bring_in_line,
        name="station-bring-in-line",
    ),
    path("charging-profiles/", smart_charging.library, name="charging-profiles"),
    path(
        "charging-profiles/new/",
        show_or_do(get=smart_charging.new, post=smart_charging.add),
        name="charging-profile-new",
    ),
    path("charging-profiles/preview.json", smart_charging.preview, name="charging-profile-preview"),
    path(
        "charging-profiles/<str:uid>/",
        show_or_do(get=smart_charging.edit, post=smart_charging.change),
        name="charging-profile",
    ),
    path("charging-profiles/<str:uid>/delete/", smart_charging.delete, name="charging-profile-delete"),
    path("stations/<str:identity>/composite.json", smart_charging.composite, name="station-composite"),
    path("stations/<str:identity>/smart-charging/limit/", smart_charging.limit, name="station-limit"),
    path(
        "stations/<str:identity>/smart-charging/install/",
        smart_charging.install,
        name="station-charging-profile-install",
    ),
    path(
        "stations/<str:identity>/smart-charging/clear/",
        smart_charging.clear_matching,
        name="station-charging-profiles-clear",
    ),
    path("stations/<str:identity>/smart-charging/ask/", smart_charging.ask, name="station-composite-ask"),
    path(
        "stations/<str:identity>/smart-charging/forget/",
        smart_charging.forget,
        name="station-capabilities-forget",
    ),
    path(
        "stations/<str:identity>/smart-charging/<str:uid>/clear/",
        smart_charging.clear,
        name="station-charging-profile-clear",
    ),
    path("certificates/", certificates.certificates, name="certificates"),
    path("certificates/roots/", certificates.add_root, name="root-add"),
    path("certificates/roots/<int:pk>.pem", certificates.root_file, name="root-file"),
    path("certificates/roots/<int:pk>/remove/", certificates.remove_root, name="root-remove"),
    path("certificates/<int:pk>.pem", certificates.file, name="certificate-file"),
    path("certificates/<int:pk>/again/", certificates.again, name="certificate-again"),
    path("certificates/<int:pk>/revoke/", certificates.revoke, name="certificate-revoke"),
    path("stations/<str:identity>/certificates/renew/", certificates.renew, name="station-certificate-renew"),
    path("stations/<str:identity>/certificates/read/", certificates.read, name="station-certificates-read"),
    path(
        "stations/<str:identity>/certificates/install/",
        certificates.install,
        name="station-certificate-install",
    ),
    path(
        "stations/<str:identity>/certificates/<int:pk>/delete/",
        certificates.delete,
        name="station-certificate-delete",
    ),
    path("security/", security.security, name="security"),
    path("sessions/", sessions.sessions, name="sessions"),
    path("sessions/<str:uid>/", sessions.session, name="session"),
    path("sessions/<str:uid>/curve.json", sessions.curve, name="session-curve"),
    path("sessions/<str:uid>/close/", sessions.close, name="session-close"),
    path("sessions/<str:uid>/correct/", session_figures.correct, name="session-correct"),
    path("sessions/<str:uid>/release/", session_figures.release, name="session-release"),
    path("sessions/<str:uid>/signed.xml", session_figures.signed, name="session-signed"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/new/", show_or_do(get=tokens.new, post=tokens.add), name="token-new"),
    path("tokens/groups/", token_groups.groups, name="token-groups"),
    path(
        "tokens/groups/new/",
        show_or_do(get=token_groups.new, post=token_groups.add),
        name="token-group-new",
    ),
    path(
        "tokens/groups/<int:pk>/",
        show_or_do(get=token_groups.edit, post=token_groups.change),
        name="token-group",
    ),
    path("tokens/groups/<int:pk>/delete/", token_groups.delete, name="token-group-delete"),
    path("tokens/unknown/", unknown_tokens.unknown, name="unknown-tokens"),
    path("tokens/unknown/<int:pk>/accept/", unknown_tokens.accept, name="unknown-token-accept"),
    path("tokens/unknown/<int:pk>/ignore/", unknown_tokens.ignore, name="unknown-token-ignore"),
    path("tokens/local-lists/", local_lists.lists, name="local-lists"),
    path("tokens/local-lists/<str:uid>/", local_lists.switch_site, name="site-local-list"),
    path("stations/<str:identity>/local-list/", local_lists.switch, name="station-local-list"),
    path("stations/<str:identity>/local-list/send/", local_lists.send_whole, name="station-local-list-send"),
    path("tokens/<int:pk>/", show_or_do(get=tokens.token, post=tokens.change), name="token"),
    path("tokens/<int:pk>/status/", tokens.set_status, name="token-status"),
    path("tariffs/", tariffs.tariffs, name="tariffs"),
    path("tariffs/<int:pk>/", tariffs.tariff, name="tariff"),
    path("finance/cdrs/", cdrs.cdrs, name="cdrs"),
    path("finance/cdrs/export/", cdrs.export, name="cdrs-export"),
    path("finance/cdrs/<int:pk>/", cdrs.cdr, name="cdr"),
    path("partners/", partners.partners, name="partners"),
    path("partners/<int:pk>/", partners.partner, name="partner"),
    path("partners/<int:pk>/<str:action>/", partner_actions.do, name="partner-do"),
    path(
        "new/partner/", show_or_do(get=partner_actions.new, post=partner_actions.connect), name="partner-new"
    ),
    path("pushes/<int:pk>/retry/", partner_actions.retry, name="push-retry"),
]
