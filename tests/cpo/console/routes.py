"""Every route of the console, from its own URL table: a new one without a case here fails the tests."""

from types import SimpleNamespace
from typing import Any

from django.urls import reverse

from cpo.console import station_tabs
from cpo.console.urls import urlpatterns

# name: (words for the URL, what the role must be allowed to do it, fields of a POST that is tried)
PAGES: dict[str, Any] = {
    "overview": lambda n: [],
    "review": lambda n: [],
    "incidents": lambda n: [],
    "stations": lambda n: [],
    "station": lambda n: [n.station.identity],
    "station-new": lambda n: [],
    "station-edit": lambda n: [n.station.identity],
    "onboarding": lambda n: [],
    "security": lambda n: [],
    "certificates": lambda n: [],
    "root-file": lambda n: [n.root.pk],
    "certificate-file": lambda n: [n.certificate.pk],
    "fleet-configuration": lambda n: [],
    "configuration-template-new": lambda n: [],
    "configuration-template": lambda n: [n.template.pk],
    "quirks-export": lambda n: [],
    "firmware": lambda n: [],
    "firmware-new": lambda n: [],
    "firmware-signer-new": lambda n: [],
    "firmware-campaign-new": lambda n: [],
    "firmware-campaign": lambda n: [n.campaign.uid],
    "customer-request": lambda n: [n.customer.uid],
    "reservations": lambda n: [],
    "charging-profiles": lambda n: [],
    "charging-profile-new": lambda n: [],
    "charging-profile-preview": lambda n: [],
    "charging-profile": lambda n: [n.library.uid],
    "station-composite": lambda n: [n.station.identity],
    "sites": lambda n: [],
    "site": lambda n: [n.site.uid],
    "site-edit": lambda n: [n.site.uid],
    "site-replay": lambda n: [n.site.uid],
    "site-replay-chart": lambda n: [n.site.uid],
    "sessions": lambda n: [],
    "session": lambda n: [n.ended.uid],
    "session-curve": lambda n: [n.ended.uid],
    "session-signed": lambda n: [n.ended.uid],
    "tokens": lambda n: [],
    "token-new": lambda n: [],
    "token": lambda n: [n.token.pk],
    "token-groups": lambda n: [],
    "token-group-new": lambda n: [],
    "token-group": lambda n: [n.group.pk],
    "unknown-tokens": lambda n: [],
    "local-lists": lambda n: [],
    "tariffs": lambda n: [],
    "tariff": lambda n: [n.site.operator.tariffs.get().pk],
    "cdrs": lambda n: [],
    "cdr": lambda n: [n.cdr.pk],
    "payments": lambda n: [],
    "payment": lambda n: [n.payment.uid],
    "station-stickers": lambda n: [n.station.identity],
    "partners": lambda n: [],
    "partner": lambda n: [n.partner.pk],
    "partner-new": lambda n: [],
}
ACTIONS: dict[str, Any] = {
    "review-resolve": lambda n: [n.item.pk],
    "station-new": lambda n: [],
    "station-edit": lambda n: [n.station.identity],
    "station-password": lambda n: [n.station.identity],
    "station-command": lambda n: [n.station.identity],
    "station-configuration": lambda n: [n.station.identity],
    "station-configuration-read": lambda n: [n.station.identity],
    "station-bring-in-line": lambda n: [n.station.identity],
    "configuration-template-new": lambda n: [],
    "configuration-template": lambda n: [n.template.pk],
    "configuration-template-delete": lambda n: [n.template.pk],
    "station-profile-raise": lambda n: [n.station.identity],
    "station-profile-cancel": lambda n: [n.station.identity, n.profile_change.pk],
    "station-profile-set": lambda n: [n.station.identity],
    "station-password-change": lambda n: [n.station.identity],
    "station-network-slot": lambda n: [n.station.identity],
    "station-network-order": lambda n: [n.station.identity],
    "station-network-read": lambda n: [n.station.identity],
    "station-alias": lambda n: [n.station.identity],
    "station-alias-remove": lambda n: [n.station.identity, n.alias.pk],
    "station-quirk": lambda n: [n.station.identity],
    "station-quirk-forget": lambda n: [n.station.identity],
    "station-firmware": lambda n: [n.station.identity],
    "station-log": lambda n: [n.station.identity],
    "firmware-new": lambda n: [],
    "firmware-withdraw": lambda n: [n.image.uid],
    "firmware-signer-new": lambda n: [],
    "firmware-signer-distrust": lambda n: [n.signer.pk],
    "firmware-campaign-new": lambda n: [],
    "firmware-campaign-turn": lambda n: [n.campaign.uid, "start"],
    "firmware-update-cancel": lambda n: [n.update.uid],
    "firmware-update-retry": lambda n: [n.update.uid],
    "log-cancel": lambda n: [n.log.uid],
    "station-publish": lambda n: [n.station.identity],
    "station-publication-updates": lambda n: [n.station.identity],
    "publication-unpublish": lambda n: [n.publication.uid],
    "publication-cancel": lambda n: [n.publication.uid],
    "station-customers": lambda n: [n.station.identity],
    "station-list-again": lambda n: [n.station.identity, n.unlisted.pk],
    "customer-cancel": lambda n: [n.customer.uid],
    "customer-forget": lambda n: [n.customer.uid],
    "station-der-again": lambda n: [n.station.identity, "x"],
    "station-profiles-ask": lambda n: [n.station.identity],
    "session-renegotiate": lambda n: [n.station.identity, n.running.uid],
    "session-priority": lambda n: [n.station.identity, n.running.uid],
    "station-profile-values": lambda n: [n.station.identity, n.installed.uid],
    "station-start": lambda n: [n.station.identity],
    "station-streams-read": lambda n: [n.station.identity],
    "station-stream-adjust": lambda n: [n.station.identity, 3],
    "station-stream-close": lambda n: [n.station.identity, 3],
    "session-limits": lambda n: [n.running.uid],
    "station-energy-ask": lambda n: [n.station.identity],
    "station-swap": lambda n: [n.station.identity],
    "station-signal": lambda n: [n.station.identity],
    "station-tariffs-install": lambda n: [n.station.identity],
    "station-reserve": lambda n: [n.station.identity],
    "station-payment-code": lambda n: [n.station.identity],
    "payment-refund": lambda n: [n.payment.uid],
    "reservation-cancel": lambda n: [n.reservation.uid],
    "wish-forget": lambda n: [n.station.identity, n.wish.pk],
    "charging-profile-new": lambda n: [],
    "charging-profile": lambda n: [n.library.uid],
    "charging-profile-delete": lambda n: [n.library.uid],
    "station-limit": lambda n: [n.station.identity],
    "station-charging-profile-install": lambda n: [n.station.identity],
    "station-charging-profiles-clear": lambda n: [n.station.identity],
    "station-charging-profile-clear": lambda n: [n.station.identity, n.installed.uid],
    "site-fuses": lambda n: [n.site.uid],
    "site-outlets": lambda n: [n.site.uid],
    "site-pause": lambda n: [n.site.uid],
    "site-resume": lambda n: [n.site.uid],
    "site-safe": lambda n: [n.site.uid],
    "site-remove": lambda n: [n.site.uid],
    "station-composite-ask": lambda n: [n.station.identity],
    "station-capabilities-forget": lambda n: [n.station.identity],
    "root-add": lambda n: [],
    "root-remove": lambda n: [n.root.pk],
    "certificate-again": lambda n: [n.certificate.pk],
    "certificate-revoke": lambda n: [n.certificate.pk],
    "station-certificate-renew": lambda n: [n.station.identity],
    "station-certificates-read": lambda n: [n.station.identity],
    "station-certificate-install": lambda n: [n.station.identity],
    "station-certificate-delete": lambda n: [n.station.identity, n.held.pk],
    "command-cancel": lambda n: [n.command.uid],
    "onboarding-accept": lambda n: [n.knock.pk],
    "onboarding-ignore": lambda n: [n.knock.pk],
    "session-close": lambda n: [n.running.uid],
    "session-correct": lambda n: [n.ended.uid],
    "session-release": lambda n: [n.ended.uid],
    "review-merge": lambda n: [n.item.pk],
    "token-new": lambda n: [],
    "token": lambda n: [n.token.pk],
    "token-group-new": lambda n: [],
    "token-group": lambda n: [n.group.pk],
    "token-group-delete": lambda n: [n.group.pk],
    "unknown-token-accept": lambda n: [n.unknown.pk],
    "unknown-token-ignore": lambda n: [n.unknown.pk],
    "site-local-list": lambda n: [n.site.uid],
    "station-display-put": lambda n: [n.station.identity],
    "station-display-read": lambda n: [n.station.identity],
    "station-display-tell": lambda n: [n.station.identity],
    "station-display-fallback": lambda n: [n.station.identity],
    "station-display-clear": lambda n: [n.station.identity, 1],
    "station-display-again": lambda n: [n.station.identity, 1],
    "station-monitor-add": lambda n: [n.station.identity],
    "station-monitoring-read": lambda n: [n.station.identity],
    "station-monitor-clear": lambda n: [n.station.identity, 1],
    "station-monitoring-set": lambda n: [n.station.identity],
    "station-local-list": lambda n: [n.station.identity],
    "station-local-list-send": lambda n: [n.station.identity],
    "token-status": lambda n: [n.running.token_id or 1],
    "cdrs-export": lambda n: [],
    "partner-do": lambda n: [n.partner.pk, "pause"],
    "partner-new": lambda n: [],
    "push-retry": lambda n: [n.push.pk],
}
OPEN = {"login", "logout", "log-file"}  # have tests of their own

TABS = {
    "station": [tab.name for tab in station_tabs.TABS],
    "partner": ["about", "queue", "exchanges"],
}


def of_no_object(table: dict[str, Any]) -> set[str]:
    """Give the routes that name no row: lists and forms of something new."""

    def names_none(words: Any) -> bool:
        try:
            return words(None) == []
        except AttributeError:
            return False

    return {name for name, words in table.items() if names_none(words)}


def names() -> set[str]:
    """Give the name of every route of the console."""
    return {str(pattern.name) for pattern in urlpatterns}


def url(name: str, network: SimpleNamespace, *, action: bool = False) -> str:
    """Give the URL of a route for the rows of the network."""
    table = ACTIONS if action else PAGES
    return reverse(name, args=table[name](network))


def pages(network: SimpleNamespace) -> list[str]:
    """Give the URL of every page, each tab too."""
    found = [url(name, network) for name in PAGES if name not in TABS]
    return found + [f"{url(name, network)}?tab={tab}" for name, tabs in TABS.items() for tab in tabs]


FILES = (".json", ".yaml", ".xml", ".pem")


def shown_pages(network: SimpleNamespace) -> list[str]:
    """Give what a browser shows, without files that it saves."""
    return [address for address in pages(network) if not address.endswith(FILES)]


def plain_pages(network: SimpleNamespace) -> list[str]:
    """Give the pages that a browser shows, without the tabs of a station."""
    return [address for address in shown_pages(network) if not address.startswith(url("station", network))]
