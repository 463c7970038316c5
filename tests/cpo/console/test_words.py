"""How states look: each stored word has an icon, a word and a colour; icons are in the sprite."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from billing.models import Payment, Refund
from billing.tariff import model
from cpo.console import tariff_words, words
from cpo.console.words import Look
from roaming.models import Connection, Push
from stations.models import (
    AvailabilityWish,
    ChargingNeeds,
    ChargingSession,
    Command,
    ConnectorStatus,
    CustomerRequest,
    DisplayMessage,
    DisplayReport,
    FirmwarePublication,
    HandshakeRejection,
    IdToken,
    NetworkProfile,
    PasswordChange,
    ProfileReport,
    RemoteRequest,
    Reservation,
    ReviewItem,
    SecurityProfileChange,
    StationCertificate,
    WebPaymentCode,
)
from stations.services import security
from tests import factories

SPRITE = settings.BASE_DIR / "static/vendor/tabler-icons/icons.svg"
TABLES = {
    "CONNECTOR": ConnectorStatus.values,
    "SESSION": ChargingSession.Status.values,
    "COMMAND": Command.Status.values,
    "TOKEN": [*IdToken.Status.values, "ConcurrentTx", "NotAtThisLocation"],
    "PUSH": Push.State.values,
    "PARTNER": Connection.Status.values,
    "REMOTE": RemoteRequest.State.values,
    "REMOTE_REASON": RemoteRequest.Reason.values,
    "RESERVATION": Reservation.Status.values,
    "CERTIFICATE": StationCertificate.State.values,
    "REVIEW": ReviewItem.Kind.values,
    "WISH": [*AvailabilityWish.State.values, "drift"],
    "SECURITY_EVENT": security.IS_CRITICAL,
    "REJECTION": HandshakeRejection.Reason.values,
    "PROFILE_CHANGE": SecurityProfileChange.Status.values,
    "PROFILE_STEP": ["waiting", "running", "done", "skipped", "failed"],
    "NETWORK_SLOT": NetworkProfile.State.values,
    "PASSWORD_CHANGE": PasswordChange.Status.values,
    "FIRMWARE_PUBLICATION": FirmwarePublication.State.values,
    "CUSTOMER_REQUEST": CustomerRequest.State.values,
    "DISPLAY": [*DisplayMessage.State.values, *DisplayMessage.Drift.values],
    "DISPLAY_REPORT": DisplayReport.State.values,
    "PAYMENT": Payment.State.values,
    "REFUND": Refund.State.values,
    "PAYMENT_CODE": WebPaymentCode.State.values,
    "NEEDS": ChargingNeeds.Status.values,
    "PROFILE_REPORT": ProfileReport.State.values,
}


@pytest.mark.parametrize("table", TABLES)
def test_every_stored_word_has_its_look(table: str) -> None:
    assert set(getattr(words, table)) == set(TABLES[table])


def test_what_is_not_well_says_what_to_do() -> None:
    looks = [look for table in TABLES for look in getattr(words, table).values() if isinstance(look, Look)]

    assert [look.word for look in looks if look.tone in ("bad", "warn") and not look.next_step] == []


def test_every_icon_is_in_the_sprite() -> None:
    known = set(re.findall(r'<symbol id="([a-z0-9-]+)"', SPRITE.read_text()))
    root = Path(settings.BASE_DIR)
    used = {
        name
        for template in (root / "templates").rglob("*.html")
        for name in re.findall(r'\{% icon "([a-z0-9-]+)"', template.read_text())
    }
    looks = [look for table in TABLES for look in getattr(words, table).values() if isinstance(look, Look)]

    assert used | {look.icon for look in looks} <= known


def test_a_refusal_of_the_station_is_no_success_and_no_failure() -> None:
    assert words.of_command("answered", {"status": "Rejected"}).tone == "warn"
    assert words.of_command("answered", {"status": "Accepted"}).tone == "ok"
    assert words.of_command("answered", {"configurationKey": []}).word == "Answered"
    assert words.of_command("failed", {"status": "Accepted"}).tone == "bad"


def test_a_tariff_is_said_from_its_lowest_to_its_highest_price() -> None:
    night = factories.element("ENERGY", "0.2", start_time="23:00", end_time="07:00")
    data = factories.tariff_data(night, factories.element("ENERGY", "0.355"), factories.element("FLAT", "1"))

    assert tariff_words.summary(tariff_words.read(data)) == "0.20–0.355 EUR per kWh + 1.00 EUR per session"


@pytest.mark.parametrize(
    ("restrictions", "text"),
    [
        ({}, "Always"),
        ({"start_time": "23:00", "end_time": "07:00"}, "23:00–07:00"),
        ({"day_of_week": ["MONDAY", "TUESDAY", "WEDNESDAY"]}, "Mon–Wed"),
        ({"day_of_week": ["SUNDAY", "FRIDAY"], "min_duration": 5400}, "Fri, Sun, after 1 h 30 min"),
        ({"max_power": "22"}, "Below 22 kW"),
        ({"min_kwh": "5", "max_kwh": "20"}, "5–20 kWh"),
        ({"reservation": "RESERVATION"}, "For a reservation"),
    ],
)
def test_a_restriction_is_said_in_words(restrictions: dict[str, object], text: str) -> None:
    tariff = tariff_words.read(factories.tariff_data(factories.element("ENERGY", "1", **restrictions)))

    assert tariff_words.when(tariff.elements[0].restrictions) == text


def test_a_free_tariff_is_said_to_be_free() -> None:
    tariff = tariff_words.read(factories.tariff_data(factories.element("ENERGY", "0")))

    assert tariff_words.summary(tariff) == "free of charge"
    assert isinstance(tariff, model.Tariff)
