"""Firmware campaigns: canaries first, few at once, nobody in the middle of a session, halted by failures (C9).

A campaign plans updates of its stations through `firmware.plan`, a step at a time by a sweep; each update lives its
own life. What fails counts; so many failures halt the campaign until an operator lets it go on.
"""

from collections.abc import Sequence

import structlog
from django.db import transaction

from cpo.lib import clock, events
from stations.events import FirmwareLibraryChanged
from stations.models import (
    CampaignStation,
    ChargingSession,
    ChargingStation,
    FirmwareCampaign,
    FirmwareImage,
    FirmwareUpdate,
    ReviewItem,
)
from stations.services import firmware, firmware_library, review
from stations.services.errors import (
    InvalidPayload,
    NotOpen,
    StationOffline,
    StationsError,
    UnsuitableFirmware,
    UntrustedFirmware,
    UpdateUnderWay,
)

log = structlog.get_logger(__name__)
State = FirmwareCampaign.State
BAD = frozenset(
    {
        FirmwareUpdate.State.FAILED,
        FirmwareUpdate.State.REJECTED,
        FirmwareUpdate.State.UNANSWERED,
        FirmwareUpdate.State.STALLED,
    }
)


@transaction.atomic(savepoint=False)
def create(
    image: FirmwareImage,
    *,
    name: str,
    stations: Sequence[ChargingStation],
    canaries: int = 1,
    at_once: int = 5,
    max_failed: int = 3,
    created_by: str = "",
) -> FirmwareCampaign:
    """Write a campaign down, the canaries being the first stations of the list. Nothing is sent before `start`.

    Raise `UnsuitableFirmware` or `UntrustedFirmware` when the image may not go to one of them.
    """
    if not stations or not 0 <= canaries <= len(stations) or at_once < 1 or max_failed < 1:
        raise InvalidPayload("stations", "at least one station; canaries, at once and failures must fit them")
    firmware_library.check_offer(image, stations[0])
    for station in stations[1:]:
        if image not in firmware_library.for_station(station):
            raise UnsuitableFirmware(f"the image is not one for {station.identity}")
    now = clock.now()
    campaign = FirmwareCampaign.objects.create(
        name=name[:100],
        image=image,
        canaries=canaries,
        at_once=at_once,
        max_failed=max_failed,
        created_by=created_by[:100],
        created_at=now,
        changed_at=now,
    )
    CampaignStation.objects.bulk_create(
        CampaignStation(campaign=campaign, station=station, position=position)
        for position, station in enumerate(stations)
    )
    events.publish(FirmwareLibraryChanged())
    return campaign


def start(campaign: FirmwareCampaign, *, by: str) -> None:
    """Let a campaign begin, or go on after a halt: failures until now are forgiven."""
    _turn(campaign, State.RUNNING, {State.DRAFT, State.HALTED}, by=by)


def halt(campaign: FirmwareCampaign, *, by: str) -> None:
    """Begin no further update; those under way go on."""
    _turn(campaign, State.HALTED, {State.RUNNING}, by=by)


def cancel(campaign: FirmwareCampaign, *, by: str) -> None:
    """End a campaign: its updates that have not reached their station yet are taken back."""
    _turn(campaign, State.CANCELLED, {State.DRAFT, State.RUNNING, State.HALTED}, by=by)
    waiting = FirmwareUpdate.objects.filter(
        campaignstation__campaign=campaign, state=FirmwareUpdate.State.SCHEDULED
    )
    for update in waiting:
        firmware.cancel(update, by=by)


def sweep() -> int:
    """Take the next step of every campaign that runs; return how many updates were begun."""
    ids = list(FirmwareCampaign.objects.filter(state=State.RUNNING).values_list("pk", flat=True))
    return sum(step(number) for number in ids)


@transaction.atomic
def step(campaign_id: int) -> int:
    """Halt the campaign, end it, or begin the updates that may begin now; return how many."""
    campaign = (
        FirmwareCampaign.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("image__file")
        .filter(pk=campaign_id, state=State.RUNNING)
        .first()
    )
    if campaign is None:
        return 0
    places = list(campaign.stations.select_related("station", "update").order_by("position"))
    failed = [place for place in places if place.update and place.update.state in BAD]
    recent = [place for place in failed if place.update and place.update.changed_at >= campaign.changed_at]
    if len(recent) >= campaign.max_failed:
        _halt(campaign, f"{len(failed)} of {len(places)} stations failed")
        return 0
    waiting = [place for place in places if place.update is None and not place.skipped]
    under_way = [place for place in places if place.update and place.update.is_open]
    if not waiting and not under_way:
        _become(campaign, State.DONE)
        return 0
    if not _canaries_are_well(places[: campaign.canaries]):
        waiting = [place for place in waiting if place.position < campaign.canaries]
    room = campaign.at_once - len(under_way)
    try:
        return sum(_begin(campaign, place) for place in _ready(waiting)[: max(room, 0)])
    except UntrustedFirmware as error:
        _halt(campaign, str(error))
        return 0


def _canaries_are_well(canaries: list[CampaignStation]) -> bool:
    return all(
        place.skipped or (place.update and place.update.state == FirmwareUpdate.State.INSTALLED)
        for place in canaries
    )


def _ready(places: list[CampaignStation]) -> list[CampaignStation]:
    """Return those whose station is there and charges nobody."""
    online = [place for place in places if place.station.is_online]
    busy = set(
        ChargingSession.objects.active()
        .filter(station__in=[place.station_id for place in online])
        .values_list("station_id", flat=True)
    )
    return [place for place in online if place.station_id not in busy]


def _begin(campaign: FirmwareCampaign, place: CampaignStation) -> int:
    if place.station.firmware_version.strip().casefold() == campaign.image.version.strip().casefold():
        place.skipped = "it has this version already"
        place.save(update_fields=["skipped"])
        return 0
    try:
        with transaction.atomic():
            place.update = firmware.plan(
                place.station, image=campaign.image, requested_by=f"campaign:{campaign.name}"
            )
            place.save(update_fields=["update"])
    except UntrustedFirmware:
        raise
    except (StationOffline, UpdateUnderWay):
        return 0  # later
    except StationsError as error:
        log.info("campaign skips a station", campaign=campaign.pk, station=place.station.identity)
        place.skipped = str(error)[:255]
        place.save(update_fields=["skipped"])
        return 0
    return 1


def _halt(campaign: FirmwareCampaign, reason: str) -> None:
    campaign.reason = reason[:255]
    campaign.save(update_fields=["reason"])
    _become(campaign, State.HALTED)
    review.raise_item(
        ReviewItem.Kind.FIRMWARE,
        key=f"campaign:{campaign.pk}:{clock.now():%Y%m%d%H%M%S}",
        summary=f"Campaign {campaign.name} is halted: {campaign.reason}",
        facts={"campaign": campaign.uid},
    )


@transaction.atomic(savepoint=False)
def _turn(campaign: FirmwareCampaign, state: str, allowed: set[str], *, by: str) -> None:
    found = FirmwareCampaign.objects.select_for_update().get(pk=campaign.pk)
    if found.state not in allowed:
        raise NotOpen(f"the campaign is {found.get_state_display().lower()}")
    found.reason = "" if state == State.RUNNING else f"by {by}"[:255]
    found.save(update_fields=["reason"])
    _become(found, state)


def _become(campaign: FirmwareCampaign, state: str) -> None:
    campaign.state, campaign.changed_at = state, clock.now()
    campaign.save(update_fields=["state", "changed_at"])
    events.publish(FirmwareLibraryChanged())
