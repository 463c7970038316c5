"""Changes of the security profile: planned, ended, swept (1.6 security white paper A05)."""

from datetime import timedelta

import pytest
from django.db import transaction

from cpo.lib import clock
from stations.models import ChargingStation, Command, RootUse, SecurityProfileChange, StationCertificate
from stations.services import root_certificates, security_profiles
from stations.services.errors import ChangeUnderWay, LowerProfile, NotConfirmed, NotOpen
from tests import factories
from tests.authority import Authority

pytestmark = pytest.mark.django_db


@pytest.fixture
def station() -> ChargingStation:
    return factories.station("ADA-1", is_online=True, epoch=1, ocpp_version="1.6")


def steps(change: SecurityProfileChange) -> list[str]:
    return [step["step"] for step in change.steps]


def profiles() -> tuple[int, int | None]:
    found = ChargingStation.objects.get()
    return found.security_profile, found.next_security_profile


def test_without_a_root_of_the_server_our_authoritys_is_installed(station: ChargingStation) -> None:
    change = security_profiles.raise_to(station, profile=2)

    assert steps(change) == ["root", "profile", "return"]
    assert "BEGIN CERTIFICATE" in Command.objects.get().payload["certificate"]


def test_for_profile_3_the_server_and_our_authority_are_trusted_both(station: ChargingStation) -> None:
    root = root_certificates.add(Authority().root.pem, use=RootUse.CSMS, by="test")
    change = security_profiles.raise_to(station, profile=3, root=root)

    assert steps(change) == ["root", "root", "organization", "certificate", "profile", "return"]


def test_a_station_with_a_certificate_needs_no_new_one(station: ChargingStation) -> None:
    now = clock.now()
    StationCertificate.objects.create(
        station=station, state="accepted", csr="", key_fingerprint="", common_name="ADA-1", requested_at=now,
        not_after=now + timedelta(days=30),
    )  # fmt: skip

    assert steps(security_profiles.raise_to(station, profile=3, trusts_us=True)) == ["profile", "return"]


@pytest.mark.parametrize("profile", [0, 1, 4, -1])
def test_what_is_not_higher_is_no_rise(station: ChargingStation, profile: int) -> None:
    with pytest.raises(LowerProfile):
        security_profiles.raise_to(station, profile=profile)


def test_one_rise_at_a_time(station: ChargingStation) -> None:
    security_profiles.raise_to(station, profile=2)

    with pytest.raises(ChangeUnderWay):
        security_profiles.raise_to(station, profile=3)


def test_both_profiles_hold_only_once_the_new_one_was_sent(station: ChargingStation) -> None:
    change = security_profiles.raise_to(station, profile=2)
    assert profiles() == (1, None)

    security_profiles.answered(change.pk, step="root", status="Accepted")
    assert profiles() == (1, 2)


def test_an_answer_to_a_step_that_is_over_changes_nothing(station: ChargingStation) -> None:
    change = security_profiles.raise_to(station, profile=2, trusts_us=True)
    security_profiles.answered(change.pk, step="profile", status="Accepted")

    security_profiles.answered(change.pk, step="profile", status="Accepted")

    change.refresh_from_db()
    assert [step["state"] for step in change.steps] == ["done", "running"]


def test_a_late_refusal_ends_the_waiting(station: ChargingStation) -> None:
    change = security_profiles.raise_to(station, profile=2, trusts_us=True)
    security_profiles.unanswered(change.pk, step="profile", reason="no answer", was_sent=True)
    assert profiles() == (1, 2)

    security_profiles.answered(change.pk, step="profile", status="Rejected")

    assert profiles() == (1, None)


def test_a_station_that_will_not_be_named_is_raised_all_the_same(station: ChargingStation) -> None:
    change = security_profiles.raise_to(station, profile=3, trusts_us=True)
    for step, status in (("root", "Accepted"), ("organization", "NotSupported"), ("certificate", "Accepted")):
        security_profiles.answered(change.pk, step=step, status=status)

    change.refresh_from_db()
    assert [step["state"] for step in change.steps][:3] == ["done", "skipped", "running"]


def test_a_cancelled_rise_leaves_the_old_profile(station: ChargingStation) -> None:
    change = security_profiles.raise_to(station, profile=2, trusts_us=True)

    security_profiles.cancel(change, by="ada")

    assert profiles() == (1, None)
    with pytest.raises(NotOpen):
        security_profiles.cancel(change, by="ada")


def test_a_rise_that_nobody_answers_ends_after_two_days(station: ChargingStation) -> None:
    security_profiles.raise_to(station, profile=2)
    SecurityProfileChange.objects.update(created_at=clock.now() - timedelta(days=3))

    assert security_profiles.expire() == 1
    assert security_profiles.expire() == 0


def test_lowering_by_hand_is_confirmed_and_ends_a_rise(station: ChargingStation) -> None:
    ChargingStation.objects.update(security_profile=2)
    station.refresh_from_db()
    change = security_profiles.raise_to(station, profile=3, trusts_us=True)
    with pytest.raises(NotConfirmed), transaction.atomic():
        security_profiles.set_by_hand(station, profile=1)

    security_profiles.set_by_hand(station, profile=1, confirmed=True, by="ada")

    change.refresh_from_db()
    assert (profiles(), change.reason) == ((1, None), "ada set profile 1 by hand")


def test_a_refusal_is_a_security_event_once_an_hour(station: ChargingStation) -> None:
    for _ in range(3):
        security_profiles.refused(station, reason="certificate_expired")

    event = station.security_events.get()
    assert (event.type, event.is_critical) == ("FailedToAuthenticationAtCentralSystem", False)
