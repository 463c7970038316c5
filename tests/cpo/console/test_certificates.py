"""Certificates in the console: what is shown, asked of stations, confirmed, refused."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import (
    ChargingStation,
    Command,
    InstalledCertificate,
    RootCertificate,
    StationCertificate,
)
from stations.services import root_certificates
from tests import factories, pki

pytestmark = pytest.mark.django_db
ROOT = pki.authority("Root of Ada")


@pytest.fixture
def station() -> ChargingStation:
    return factories.station("ADA-1", is_online=True, ocpp_version="1.6")


def issued(station: ChargingStation, **fields: object) -> StationCertificate:
    values = {
        "state": "in_use",
        "chain": pki.leaf(ROOT).pem,
        "serial_number": "a1",
        "requested_at": clock.now(),
    }
    return StationCertificate.objects.create(station=station, **values | fields)


def test_the_page_shows_what_ends_when(person: Callable[..., Client], station: ChargingStation) -> None:
    end = clock.now() + timedelta(days=9)
    issued(station, not_after=end)

    ada = person("viewer")
    text = ada.get("/certificates/").content.decode()

    assert f'<a href="?month={end:%Y-%m}">{end:%Y-%m}</a>' in text
    assert "Within 30 days" in text
    assert "Add a root" not in text
    assert "ADA-1" in ada.get(f"/certificates/?month={end:%Y-%m}").content.decode()


def test_a_station_is_asked_to_renew(person: Callable[..., Client], station: ChargingStation) -> None:
    answer = person("support").post("/stations/ADA-1/certificates/renew/")

    assert answer["location"] == "/stations/ADA-1/?tab=certificates"
    assert Command.objects.get().action == "ExtendedTriggerMessage"


def test_revoking_is_confirmed_with_a_reason(person: Callable[..., Client], station: ChargingStation) -> None:
    row, ada = issued(station), person("operator")

    assert "Are you sure?" in ada.post(f"/certificates/{row.pk}/revoke/").content.decode()
    ada.post(f"/certificates/{row.pk}/revoke/", {"confirmed": "yes", "reason": "keyCompromise"})

    row.refresh_from_db()
    assert (row.state, AuditEvent.objects.last().facts["reason"]) == ("revoked", "keyCompromise")


def test_the_only_way_in_is_warned_of(person: Callable[..., Client], station: ChargingStation) -> None:
    ChargingStation.objects.update(security_profile=3)
    row = issued(station)

    assert "only way in" in person("operator").post(f"/certificates/{row.pk}/revoke/").content.decode()


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_who_may_not_revoke_is_refused(
    person: Callable[..., Client], station: ChargingStation, role: str
) -> None:
    row = issued(station)

    answer = person(role).post(
        f"/certificates/{row.pk}/revoke/", {"confirmed": "yes", "reason": "superseded"}
    )

    row.refresh_from_db()
    assert (answer.status_code, row.state) == (403, "in_use")


def test_a_root_is_added_installed_and_forgotten(
    person: Callable[..., Client], station: ChargingStation
) -> None:
    ada = person("admin")
    ada.post("/certificates/roots/", {"use": "CSMSRootCertificate", "certificate": ROOT.pem, "name": "Ada's"})
    root = RootCertificate.objects.get()
    ada.post("/stations/ADA-1/certificates/install/", {"root": root.pk})
    assert "Ada&#x27;s" in ada.get("/certificates/").content.decode()

    ada.post(f"/certificates/roots/{root.pk}/remove/")

    assert Command.objects.get().payload["certificate"] == ROOT.pem
    assert not RootCertificate.objects.exists()


def test_what_is_no_root_says_why(person: Callable[..., Client]) -> None:
    answer = person("admin").post(
        "/certificates/roots/", {"use": "V2GRootCertificate", "certificate": "hello"}
    )

    assert answer.status_code == 422
    assert "no PEM certificate in it" in answer.content.decode()


def test_a_trusted_root_is_forgotten_only_when_confirmed(person: Callable[..., Client]) -> None:
    root = root_certificates.add(ROOT.pem, use="ManufacturerRootCertificate", is_trusted=True)
    ada = person("admin")

    assert "Are you sure?" in ada.post(f"/certificates/roots/{root.pk}/remove/").content.decode()
    ada.post(f"/certificates/roots/{root.pk}/remove/", {"confirmed": "yes"})

    assert not RootCertificate.objects.exists()


def test_the_last_root_of_a_station_is_deleted_only_when_confirmed(
    person: Callable[..., Client], station: ChargingStation
) -> None:
    row = InstalledCertificate.objects.create(
        station=station, use="CSMSRootCertificate", hash_algorithm="SHA256", issuer_name_hash="aa",
        issuer_key_hash="bb", serial_number="cc", reported_at=clock.now(),
    )  # fmt: skip
    ada, path = person("operator"), f"/stations/ADA-1/certificates/{row.pk}/delete/"

    assert "Are you sure?" in ada.post(path).content.decode()
    assert not Command.objects.exists()
    ada.post(path, {"confirmed": "yes"})

    assert Command.objects.get().payload["certificateHashData"]["serialNumber"] == "cc"


def test_an_offline_station_is_said_to_be_offline(
    person: Callable[..., Client], station: ChargingStation
) -> None:
    ChargingStation.objects.update(is_online=False)

    answer = person("support").post("/stations/ADA-1/certificates/read/", follow=True)

    assert "is offline" in answer.content.decode()
    assert not Command.objects.exists()


def test_what_was_rejected_is_sent_again(person: Callable[..., Client], station: ChargingStation) -> None:
    row = issued(station, state="rejected")

    person("support").post(f"/certificates/{row.pk}/again/")

    assert Command.objects.get().action == "CertificateSigned"


def test_a_certificate_is_a_file(person: Callable[..., Client], station: ChargingStation) -> None:
    answer = person("viewer").get(f"/certificates/{issued(station).pk}.pem")

    assert answer.content.startswith(b"-----BEGIN CERTIFICATE-----")
    assert "attachment" in answer["content-disposition"]


def test_a_station_of_2x_is_asked_for_what_its_version_knows(
    person: Callable[..., Client], station: ChargingStation
) -> None:
    ChargingStation.objects.update(ocpp_version="2.1")
    ada = person("support")

    text = ada.get("/stations/ADA-1/?tab=certificates").content.decode()
    ada.post("/stations/ADA-1/certificates/renew/", {"use": "V2G20Certificate"})

    assert 'value="V2G20Certificate"' in text
    assert Command.objects.get().payload == {"requestedMessage": "SignV2G20Certificate"}


def test_what_a_version_does_not_know_is_said_and_not_offered(
    person: Callable[..., Client], station: ChargingStation
) -> None:
    ada = person("support")

    text = ada.get("/stations/ADA-1/?tab=certificates").content.decode()
    answer = ada.post("/stations/ADA-1/certificates/renew/", {"use": "V2G20Certificate"}, follow=True)

    assert ('value="V2GCertificate"' in text, "V2G20Certificate" in text) == (True, False)
    assert "knows no V2G20Certificate" in answer.content.decode()


def test_what_is_installed_is_shown_with_its_hashes_its_chain_and_its_end(
    person: Callable[..., Client], station: ChargingStation
) -> None:
    row = issued(station, not_after=clock.now() + timedelta(days=90), use="V2GCertificate")
    told = {"station": station, "use": "V2GCertificateChain", "hash_algorithm": "SHA384"} | {
        "issuer_name_hash": "aa11", "issuer_key_hash": "bb22", "reported_at": clock.now(),
    }  # fmt: skip
    top = InstalledCertificate.objects.create(serial_number=row.serial_number, **told)
    InstalledCertificate.objects.create(serial_number="c0ffee", parent=top, **told)

    text = person("viewer").get("/stations/ADA-1/?tab=certificates").content.decode()

    assert all(part in text for part in ("aa11", "bb22", "c0ffee", "SHA384", "Its own chain", "Issued by us"))


def test_the_stations_own_certificate_is_deleted_only_when_confirmed(
    person: Callable[..., Client], station: ChargingStation
) -> None:
    told = {"hash_algorithm": "SHA256", "issuer_name_hash": "aa", "reported_at": clock.now()}
    rows = [
        InstalledCertificate.objects.create(
            station=station, use="V2GCertificateChain", issuer_key_hash="bb", serial_number=number, **told
        )
        for number in ("c1", "c2")
    ]
    ada, path = person("operator"), f"/stations/ADA-1/certificates/{rows[0].pk}/delete/"

    assert "Are you sure?" in ada.post(path).content.decode()
    ada.post(path, {"confirmed": "yes"})

    assert Command.objects.count() == 1
