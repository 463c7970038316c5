"""The security tab of a station: its profile, password, TLS, spellings, and what is done to them."""

from typing import Any

import pytest
from django.test import Client

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import (
    ChargingStation,
    Command,
    ConnectionEvent,
    HandshakeRejection,
    PasswordChange,
    SecurityProfileChange,
    StationAlias,
)
from stations.services import provisioning, security_profiles
from tests import factories

TAB = "/stations/ADA-1/?tab=security"


@pytest.fixture
def station(db: None) -> ChargingStation:
    return factories.station("ADA-1", is_online=True, epoch=1, ocpp_version="1.6", secret_hash=b"x")


def post(ada: Client, path: str, **fields: Any) -> str:
    return ada.post(f"/stations/ADA-1/{path}/", fields, follow=True).content.decode()


def test_the_tab_shows_how_the_station_connects(ada: Client, station: ChargingStation) -> None:
    ConnectionEvent.objects.create(
        station=station, epoch=1, opened_at=clock.now(), is_tls=True, security_profile=3,
        tls_version="TLSv1.3", tls_cipher="TLS_AES_256_GCM_SHA384", certificate="ab" * 32,
    )  # fmt: skip

    text = ada.get(TAB).content.decode()

    for words in ("TLSv1.3", "TLS_AES_256_GCM_SHA384", "profile 3", "of another authority", "1: Basic"):
        assert words in text
    assert f'data-topics="station:{station.pk}"' in text


def test_who_was_kept_out_is_shown_with_what_to_do(ada: Client, station: ChargingStation) -> None:
    now = clock.now()
    HandshakeRejection.objects.create(
        identity="ADA-1", remote_address="192.0.2.7", reason="certificate_expired", first_at=now, last_at=now
    )

    text = ada.get(TAB).content.decode()

    assert "Certificate expired" in text
    assert "Lower the profile, renew the certificate" in text


def test_a_rise_is_begun_and_shown_step_by_step(ada: Client, station: ChargingStation) -> None:
    post(ada, "profile", profile="2", root="trusts")

    text = ada.get(TAB).content.decode()

    assert "The new profile" in text
    assert "or 2: TLS and Basic authentication" in text
    assert Command.objects.get().payload == {"key": "SecurityProfile", "value": "2"}
    assert AuditEvent.objects.get().facts == {"profile": 2}


def test_our_own_root_is_installed_first(ada: Client, station: ChargingStation) -> None:
    post(ada, "profile", profile="2", root="")

    assert Command.objects.get().action == "InstallCertificate"


def test_a_second_rise_has_to_wait(ada: Client, station: ChargingStation) -> None:
    post(ada, "profile", profile="2", root="trusts")

    assert "being changed already" in post(ada, "profile", profile="3", root="trusts")
    assert SecurityProfileChange.objects.count() == 1


def test_a_rise_is_cancelled(ada: Client, station: ChargingStation) -> None:
    change = security_profiles.raise_to(station, profile=2, trusts_us=True)

    post(ada, f"profile/{change.pk}/cancel")

    change.refresh_from_db()
    assert (change.status, change.reason) == ("cancelled", "cancelled by user:ada")


def test_a_lower_profile_is_kept_only_when_confirmed(ada: Client, station: ChargingStation) -> None:
    ChargingStation.objects.update(security_profile=2)

    assert "confirm it" in post(ada, "profile/set", **{"hand-profile": "1"})
    assert ChargingStation.objects.get().security_profile == 2

    post(ada, "profile/set", **{"hand-profile": "1", "hand-confirmed": "on"})
    assert ChargingStation.objects.get().security_profile == 1


def test_a_new_password_is_sent_and_never_shown(ada: Client, station: ChargingStation) -> None:
    text = post(ada, "password/change")

    assert "on its way" in text
    assert "Being sent" in text
    assert PasswordChange.objects.get().requested_by == "user:ada"
    assert Command.objects.get().payload["value"] not in text


def test_a_spelling_is_added_and_forgotten(ada: Client, station: ChargingStation) -> None:
    post(ada, "aliases", alias="/tenant-7/SN000123/")
    assert "tenant-7/SN000123" in ada.get(TAB).content.decode()

    post(ada, f"aliases/{StationAlias.objects.get().pk}/forget")
    assert not StationAlias.objects.exists()


def test_another_stations_identity_is_no_spelling(ada: Client, station: ChargingStation) -> None:
    provisioning.upsert_station("BEA-1")

    assert "own identity" in post(ada, "aliases", alias="bea-1")
