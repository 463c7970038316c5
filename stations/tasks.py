"""Sweeps of the charging network: what guarantees that nothing stays forgotten."""

from celery import shared_task

from cpo.lib import clock
from cpo.lib.tasks import RowsTask
from stations.services import (
    availability,
    campaigns,
    certificate_signing,
    certificate_upkeep,
    commands,
    configuration_templates,
    connections,
    customer_information,
    der_reports,
    device_model,
    diagnostics,
    display_messages,
    display_reports,
    files,
    firmware,
    firmware_publications,
    limits,
    load_balancer,
    local_list,
    local_list_contents,
    lost_permissions,
    partitions,
    passwords,
    profile_upkeep,
    remote_watch,
    reservation_watch,
    security_profiles,
    site_building,
    station_costs,
    unknown_tokens,
    unmatched,
    v2x,
    zombies,
)


@shared_task
def expire_commands() -> int:
    """Expire commands that were never sent in time, time out those whose sender died."""
    return commands.expire()


@shared_task
def follow_up(station_ids: list[int] | None = None) -> int:
    """See what is awaited of these stations, or of all: remote starts and stops, reservations, availability."""
    found = remote_watch.follow_up(station_ids) + reservation_watch.follow_up(station_ids)
    return found + availability.follow_up(station_ids)


@shared_task
def find_silent_stations() -> int:
    """Tell stations offline whose serving process is gone; take note of those that speak again."""
    connections.resolve_silence()
    connections.close_forgotten()
    return connections.release_orphans()


@shared_task
def close_zombies() -> int:
    """Close sessions whose charger will never end them."""
    return zombies.sweep().closed


@shared_task
def tell_costs() -> int:
    """Tell stations that show cost what their running sessions cost by now."""
    return station_costs.sweep()


@shared_task
def look_after_energy() -> int:
    """Note what sessions have fed back; read DER controls again that may have changed."""
    return v2x.sweep() + der_reports.sweep()


@shared_task
def enforce_limits() -> int:
    """Stop sessions that have reached a limit which their station does not keep."""
    return limits.sweep()


@shared_task
def match_stops(station_ids: list[int] | None = None) -> int:
    """Match stops that came without a known transaction with the sessions that turned up since."""
    return unmatched.match(station_ids)


@shared_task
def balance_load() -> int:
    """Share the power of each site among its vehicles."""
    return load_balancer.sweep()


@shared_task
def keep_charging_profiles() -> int:
    """Mirror profiles that are over, give transactions theirs, send again what was never answered."""
    return profile_upkeep.sweep()


@shared_task
def recheck_charging_profiles() -> int:
    """Send again or verify what was confirmed before a boot, on another connection or by another clock."""
    return profile_upkeep.recheck()


@shared_task
def maintain_partitions() -> None:
    """Make the coming parts of the bulk tables, drop the outdated ones; forget readings of buildings."""
    partitions.maintain()
    site_building.forget(clock.now())


@shared_task
def fit_templates(template_ids: list[int] | None = None) -> int:
    """Let stations follow the templates of desired values that changed; return how many templates are done."""
    ids = configuration_templates.unfitted() if template_ids is None else template_ids
    return sum(configuration_templates.fit_template(template_id) for template_id in ids)


@shared_task
def end_device_reports() -> int:
    """Call reports of 2.x stations incomplete of which nothing came for a while."""
    return device_model.sweep() + display_reports.sweep()


@shared_task
def end_display_messages() -> int:
    """Note which messages are over: stations remove those from their displays by themselves."""
    return display_messages.sweep()


@shared_task
def look_after_files() -> int:
    """Call updates and uploads halted that went silent; delete outdated files and links."""
    under_way = firmware.sweep() + firmware_publications.sweep() + diagnostics.sweep()
    return under_way + files.sweep()


@shared_task
def forget_customers() -> int:
    """Delete what stations told about customers after its time; end reports of which nothing more comes."""
    return customer_information.sweep()


@shared_task
def keep_local_lists() -> int:
    """Make local lists anew if tokens have changed, and take the next step of those that are not in step."""
    local_list_contents.refresh_if_marked()
    return local_list.sweep()


@shared_task
def remake_local_lists() -> int:
    """Make local lists anew without a reason: tokens expire, settings and sites change."""
    unknown_tokens.forget()
    return local_list_contents.refresh()


@shared_task
def find_lost_permissions() -> int:
    """Tell of running sessions whose token was blocked or has expired."""
    return lost_permissions.sweep()


@shared_task(base=RowsTask, poisoned=staticmethod(certificate_signing.give_up))
def sign_certificates(row_ids: list[int]) -> None:
    """Have requests of stations signed, send what was issued, tell the authority what was revoked."""
    certificate_signing.work(row_ids)


@shared_task
def sweep_certificates() -> int:
    """Find what no nudge brought and what is due again; a few rows a task, for an authority may be slow."""
    ids = certificate_signing.due()
    for start in range(0, len(ids), 5):
        sign_certificates.apply_async([ids[start : start + 5]], expires=30)
    return len(ids)


@shared_task
def keep_certificates() -> int:
    """Warn of certificates that expire, have them renewed."""
    return certificate_upkeep.keep()


@shared_task
def refresh_authority() -> int:
    """Fetch the authority's own certificates and its revocation list."""
    return certificate_upkeep.refresh()


@shared_task
def end_security_changes() -> int:
    """End what stations did not come back from, send passwords again whose answer got lost."""
    return security_profiles.expire() + passwords.resume()


@shared_task
def rotate_passwords() -> int:
    """Begin to change the passwords that are too old."""
    return passwords.rotate_due()


@shared_task
def advance_campaigns() -> int:
    """Begin the firmware updates of campaigns that may begin now; halt campaigns that fail."""
    return campaigns.sweep()
