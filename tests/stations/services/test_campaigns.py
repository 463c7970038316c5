"""Campaigns: canaries first, few at once, nobody in the middle of a session, halted by failures (SECURITY C9)."""

import pytest

from stations.models import ChargingStation, FirmwareCampaign, FirmwareUpdate, ReviewItem
from stations.services import campaigns, firmware, firmware_library
from stations.services.errors import InvalidPayload, NotOpen, UnsuitableFirmware
from tests import factories, signing
from tests.stories.files import image

pytestmark = pytest.mark.django_db

MAKER = signing.maker()


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FILES_ROOT = tmp_path


@pytest.fixture
def fleet():
    """Give ten stations that are there and charge nobody."""
    facts = {"vendor": "OpenCPO", "is_online": True, "ocpp_version": "1.6", "firmware_version": "1.0"}
    return [factories.station(f"F-{number}", **facts) for number in range(10)]


@pytest.fixture
def campaign(fleet):
    """Give a campaign of all of them that has begun: two canaries, four at once, three failures halt it."""
    made = campaigns.create(
        image(MAKER), name="spring", stations=fleet, canaries=2, at_once=4, max_failed=3, created_by="ada"
    )
    campaigns.start(made, by="ada")
    return made


def under_way() -> list[str]:
    return sorted(update.station.identity for update in FirmwareUpdate.objects.filter(state="scheduled"))


def end(state: str, *identities: str) -> None:
    rows = FirmwareUpdate.objects.filter(state="scheduled")
    for update in rows.filter(station__identity__in=identities) if identities else rows:
        if state == "installed":
            firmware.status(
                update.station, status="Installed", request_id=update.request_id, now=update.planned_at
            )
        else:
            firmware.refused(update, answer="Rejected")


def state_of(campaign: FirmwareCampaign) -> str:
    campaign.refresh_from_db()
    return campaign.state


def test_canaries_go_first_and_alone(campaign):
    assert campaigns.sweep() == 2
    assert campaigns.sweep() == 0
    assert under_way() == ["F-0", "F-1"]


def test_the_others_follow_a_few_at_once_once_all_canaries_are_well(campaign):
    campaigns.sweep()
    end("installed", "F-0")
    assert campaigns.sweep() == 0
    end("installed", "F-1")

    assert campaigns.sweep() == 4
    assert campaigns.sweep() == 0
    end("installed", "F-2")
    assert campaigns.sweep() == 1


def test_three_failures_of_ten_halt_it_and_tell_an_operator(campaign):
    campaigns.sweep()
    end("installed")
    campaigns.sweep()
    end("failed", "F-2", "F-3", "F-4")

    assert campaigns.sweep() == 0
    assert state_of(campaign) == "halted"
    assert campaign.reason == "3 of 10 stations failed"
    assert ReviewItem.objects.filter(summary__contains="spring is halted").count() == 1
    assert FirmwareUpdate.objects.count() == 6


def test_a_failed_canary_keeps_the_others_waiting(campaign):
    campaigns.sweep()
    end("failed", "F-0")
    end("installed", "F-1")

    assert campaigns.sweep() == 0
    assert (state_of(campaign), under_way()) == ("running", [])


def test_it_goes_on_when_an_operator_says_so(campaign):
    campaigns.sweep()
    end("installed")
    campaigns.sweep()
    end("failed", "F-2", "F-3", "F-4")
    campaigns.sweep()
    campaigns.start(campaign, by="ada")

    assert campaigns.sweep() == 3
    assert state_of(campaign) == "running"


def test_it_is_done_when_nobody_is_left(campaign):
    for _ in range(6):
        campaigns.sweep()
        end("installed")
    campaigns.sweep()

    assert state_of(campaign) == "done"
    assert FirmwareUpdate.objects.filter(state="installed").count() == 10


def test_a_station_that_charges_somebody_or_is_away_waits(campaign, fleet):
    factories.session(fleet[0])
    ChargingStation.objects.filter(identity="F-1").update(is_online=False)

    assert campaigns.sweep() == 0
    ChargingStation.objects.filter(identity="F-1").update(is_online=True)
    assert campaigns.sweep() == 1
    assert under_way() == ["F-1"]


def test_a_station_that_has_it_already_is_left_alone(campaign):
    ChargingStation.objects.filter(identity="F-0").update(firmware_version="2.0.0")
    campaigns.sweep()

    assert under_way() == ["F-1"]
    assert campaign.stations.get(station__identity="F-0").skipped == "it has this version already"


def test_a_signer_who_lost_trust_halts_it(campaign):
    firmware_library.distrust(campaign.image.signer)

    assert campaigns.sweep() == 0
    assert state_of(campaign) == "halted"
    assert "Nobody who is trusted" in campaign.reason


def test_a_halted_one_begins_nothing(campaign):
    campaigns.halt(campaign, by="ada")

    assert campaigns.sweep() == 0
    with pytest.raises(NotOpen):
        campaigns.halt(campaign, by="ada")


def test_a_cancelled_one_takes_back_what_has_not_been_sent(campaign):
    campaigns.sweep()
    campaigns.cancel(campaign, by="ada")

    assert set(FirmwareUpdate.objects.values_list("state", flat=True)) == {"cancelled"}
    with pytest.raises(NotOpen):
        campaigns.start(campaign, by="ada")


@pytest.mark.parametrize("numbers", [{"canaries": 11}, {"at_once": 0}, {"max_failed": 0}, {"stations": []}])
def test_a_campaign_that_cannot_be_is_refused(fleet, numbers):
    with pytest.raises(InvalidPayload):
        campaigns.create(image(MAKER), **{"name": "x", "stations": fleet} | numbers)


def test_a_campaign_with_a_station_of_another_make_is_refused(fleet):
    other = factories.station(vendor="Volt")

    with pytest.raises(UnsuitableFirmware):
        campaigns.create(image(MAKER), name="x", stations=[*fleet, other])
