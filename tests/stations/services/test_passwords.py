"""New passwords: begun, sealed, counted, ended, by the calendar (1.6 security white paper A01)."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from cpo.lib import clock, keyring
from stations.models import ChargingStation, Command, PasswordChange, ReviewItem
from stations.services import commands, password_changes, passwords, provisioning, sealed
from stations.services.errors import ChangeUnderWay, InvalidPassword, InvalidPayload
from tests import factories

pytestmark = pytest.mark.django_db
OLD = b"correct-horse-battery"


@pytest.fixture
def station() -> ChargingStation:
    made = factories.station("ADA-1", is_online=True, epoch=1, ocpp_version="1.6")
    provisioning.set_password(made, password=OLD.decode())
    return made


def lets_in(password: bytes) -> bool:
    station = ChargingStation.objects.get(identity="ADA-1")
    pairs = (
        (station.secret_salt, station.secret_hash),
        (station.next_secret_salt, station.next_secret_hash),
    )
    return any(provisioning.password_matches(password, salt=bytes(s), expected=bytes(e)) for s, e in pairs)


def test_a_waiting_secret_is_sealed_in_the_row_and_open_on_the_wire(station: ChargingStation) -> None:
    change = passwords.change(station)
    value = Command.objects.get().payload["value"]
    claimed = commands.claim(station.pk, epoch=1)

    assert sealed.is_sealed(value)
    assert claimed is not None
    assert claimed.payload["value"] == keyring.decrypt(change.secret)
    assert Command.objects.get().payload["value"] == value


def test_a_secret_that_nobody_can_open_is_never_sent(station: ChargingStation, settings: Any) -> None:
    passwords.change(station)
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]

    assert commands.claim(station.pk, epoch=1) is None
    assert Command.objects.get().status == "failed"
    assert PasswordChange.objects.get().status == "failed"


def test_what_expires_unsent_is_forgotten(station: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)
    change = passwords.change(station)
    secret = keyring.decrypt(change.secret).encode()
    Command.objects.update(expires_at=clock.now() - timedelta(seconds=1))

    commands.expire()

    change.refresh_from_db()
    assert (change.status, change.secret) == ("failed", "")
    assert (lets_in(secret), lets_in(OLD)) == (False, True)


def test_a_cancelled_command_is_a_cancelled_change(station: ChargingStation) -> None:
    passwords.change(station)

    commands.cancel(Command.objects.get(), by="ada")

    assert PasswordChange.objects.get().reason == "cancelled by ada"


def test_only_one_password_is_on_its_way(station: ChargingStation) -> None:
    passwords.change(station)

    with pytest.raises(ChangeUnderWay):
        passwords.change(station)


def test_a_password_that_no_station_takes_is_refused(station: ChargingStation) -> None:
    with pytest.raises(InvalidPassword):
        passwords.change(station, secret="short")


def test_a_raw_password_that_no_station_takes_is_refused(station: ChargingStation) -> None:
    with pytest.raises(InvalidPayload):
        commands.queue(
            station, action="ChangeConfiguration", payload={"key": "AuthorizationKey", "value": "short"}
        )


def test_a_password_set_by_hand_ends_the_change(station: ChargingStation) -> None:
    passwords.change(station)

    provisioning.set_password(ChargingStation.objects.get(), password="set-by-an-operator")

    assert PasswordChange.objects.get().status == "failed"
    assert (lets_in(b"set-by-an-operator"), lets_in(OLD)) == (True, False)


def test_an_answer_after_the_end_changes_nothing(station: ChargingStation) -> None:
    change = passwords.change(station)
    password_changes.answered(change.pk, status="Rejected")

    password_changes.answered(change.pk, status="Accepted")

    assert lets_in(OLD)


def test_after_three_lost_answers_an_operator_is_told(station: ChargingStation) -> None:
    change = passwords.change(station)
    for _ in range(3):
        password_changes.unanswered(change.pk, reason="no answer", was_sent=True)
        PasswordChange.objects.update(created_at=clock.now() - timedelta(hours=1))
        passwords.resume()

    assert PasswordChange.objects.get().tries == 3
    assert ReviewItem.objects.get().summary.startswith("ADA-1: the password was not changed")


@pytest.fixture
def fleet(station: ChargingStation, settings: Any) -> ChargingStation:
    """Give stations of all sorts, and the setting to rotate."""
    settings.OCPP_PASSWORD_ROTATION_DAYS = 90
    factories.station("OPEN", is_online=True, security_profile=0)
    factories.station("CERT", is_online=True, security_profile=3)
    factories.station("AWAY", is_online=False)
    ChargingStation.objects.update(secret_changed_at=clock.now() - timedelta(days=91))
    factories.station("FRESH", is_online=True, secret_changed_at=clock.now())
    return station


def test_the_calendar_changes_old_passwords_of_stations_that_are_there(fleet: ChargingStation) -> None:
    assert passwords.rotate_due() == 1
    assert PasswordChange.objects.get().station == fleet
    assert Command.objects.get().priority == commands.AUTOMATIC


def test_a_failed_change_is_not_tried_again_on_the_same_day(fleet: ChargingStation) -> None:
    passwords.rotate_due()
    password_changes.answered(PasswordChange.objects.get().pk, status="Rejected")

    assert passwords.rotate_due() == 0


def test_without_the_setting_nothing_is_rotated(fleet: ChargingStation, settings: Any) -> None:
    settings.OCPP_PASSWORD_ROTATION_DAYS = 0

    assert passwords.rotate_due() == 0


def test_only_so_many_are_begun_at_once(fleet: ChargingStation, settings: Any) -> None:
    settings.OCPP_PASSWORD_ROTATIONS_AT_ONCE = 1
    factories.station("BEA-1", is_online=True, secret_changed_at=clock.now() - timedelta(days=400))

    assert passwords.rotate_due() == 1
    assert PasswordChange.objects.get().station.identity == "BEA-1"
