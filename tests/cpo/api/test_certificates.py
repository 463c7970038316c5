"""/certificates/, /root-certificates/ and the certificates under a station's address."""

import pytest

from cpo.lib import clock
from stations.models import Command, InstalledCertificate, RootCertificate, StationCertificate
from tests import factories, pki
from tests.cpo.api.client import parsed

pytestmark = pytest.mark.django_db
ROOT = pki.authority("Root of Ada")


@pytest.fixture
def ada(db):
    return factories.station("ADA-1", is_online=True, ocpp_version="1.6")


def issued(station, **fields):
    values = {
        "state": "in_use",
        "chain": pki.leaf(ROOT).pem,
        "serial_number": "a1",
        "requested_at": clock.now(),
    }
    return StationCertificate.objects.create(station=station, **values | fields)


def installed(station):
    return InstalledCertificate.objects.create(
        station=station, use="CSMSRootCertificate", hash_algorithm="SHA256", issuer_name_hash="aa",
        issuer_key_hash="bb", serial_number="cc", reported_at=clock.now(),
    )  # fmt: skip


def test_certificates_are_listed_by_station_and_state(api, ada):
    row = issued(ada)
    issued(factories.station("BEA-1"), state="expired")

    rows = api.get("certificates/?station=ADA-1&state=in_use")["results"]

    assert [(one["id"], one["station"], one["state"]) for one in rows] == [(row.pk, "ADA-1", "in_use")]
    assert api.get(f"certificates/{row.pk}/")["serial_number"] == "a1"


def test_a_station_is_asked_to_renew(api, ada):
    answer = api("POST", "stations/ADA-1/certificates/", {})

    assert answer.status_code == 202
    assert Command.objects.get().payload == {"requestedMessage": "SignChargePointCertificate"}


def test_a_plug_and_charge_certificate_is_asked_for_inside_data_transfer(api, ada):
    api.post("stations/ADA-1/certificates/", {"use": "V2GCertificate"}, expect=202)

    assert Command.objects.get().payload["messageId"] == "TriggerMessage"


def test_an_offline_station_is_told_so_unless_it_may_wait(api, ada):
    ada.is_online = False
    ada.save()

    assert api("POST", "stations/ADA-1/certificates/", {}).status_code == 409
    assert api("POST", "stations/ADA-1/certificates/", {"queue": True}).status_code == 202


def test_a_certificate_is_revoked_for_a_reason(api, ada):
    row = issued(ada)
    path = f"certificates/{row.pk}/revoke/"

    assert api("POST", path, {"reason": "because"}).status_code == 400
    assert parsed(api("POST", path, {"reason": "keyCompromise"}))["state"] == "revoked"
    assert api("POST", path, {"reason": "keyCompromise"}).status_code == 409


def test_the_last_certificate_of_a_station_of_profile_3_is_revoked_only_when_confirmed(api, ada):
    ada.security_profile = 3
    ada.save()
    path = f"certificates/{issued(ada).pk}/revoke/"

    assert api("POST", path, {"reason": "keyCompromise"}).status_code == 409
    assert api("POST", path, {"reason": "keyCompromise", "confirmed": True}).status_code == 200


def test_what_did_not_come_about_is_tried_again(api, ada):
    row = issued(ada, state="rejected")

    assert parsed(api("POST", f"certificates/{row.pk}/retry/"))["state"] == "sent"
    assert Command.objects.get().action == "CertificateSigned"
    assert api("POST", f"certificates/{issued(ada).pk}/retry/").status_code == 409


def test_a_root_is_added_installed_and_forgotten(api, ada):
    made = api.post("root-certificates/", {"use": "CSMSRootCertificate", "certificate": ROOT.pem}, expect=201)
    api.post("stations/ADA-1/installed-certificates/", {"root_certificate": made["id"]}, expect=202)

    assert Command.objects.get().payload["certificateType"] == "CentralSystemRootCertificate"
    assert api("DELETE", f"root-certificates/{made['id']}/", {}).status_code == 204
    assert not RootCertificate.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        pki.leaf(ROOT).pem,
        pki.authority(key=pki.rsa_key(1024)).pem,
        pki.authority(days=(-9, -1)).pem,
        ROOT.pem * 2,
    ],
    ids=["no PEM", "a leaf", "weak", "expired", "two"],
)
def test_what_is_no_root_is_refused(api, text):
    answer = api("POST", "root-certificates/", {"use": "V2GRootCertificate", "certificate": text})

    assert answer.status_code == 400
    assert not RootCertificate.objects.exists()


def test_our_own_root_stays_known_and_a_trusted_one_until_confirmed(api):
    body = {"use": "ManufacturerRootCertificate", "certificate": ROOT.pem, "is_trusted": True}
    root = api.post("root-certificates/", body, expect=201)["id"]
    path = f"root-certificates/{root}/"

    assert api("DELETE", path, {}).status_code == 409
    RootCertificate.objects.update(is_own=True)
    assert api("DELETE", path, {"confirmed": True}).status_code == 409


def test_an_unknown_root_cannot_be_installed(api, ada):
    assert api("POST", "stations/ADA-1/installed-certificates/", {"root_certificate": 99}).status_code == 400


def test_installed_certificates_are_listed_read_and_deleted(api, ada):
    row = installed(ada)
    path = "stations/ADA-1/installed-certificates/"

    assert api.get(path)["results"][0]["serial_number"] == "cc"
    assert len(api.post(f"{path}read/", {}, expect=202)) == 2
    assert api("DELETE", f"{path}{row.pk}/", {}).status_code == 409
    assert api("DELETE", f"{path}{row.pk}/", {"confirmed": True}).status_code == 202
    assert Command.objects.filter(action="DeleteCertificate").exists()


def test_our_authority_is_shown_without_its_keys(api):
    from stations.services.local_ca import LocalAuthority

    LocalAuthority().signer("stations")

    shown = api.get("certificate-authority/")["results"]
    assert [row["role"] for row in shown] == ["stations", "root"]
    assert "PRIVATE" not in str(shown)
    assert all("private_key" not in row for row in shown)


def test_a_station_of_2x_is_asked_once_about_all_that_it_holds(api, ada):
    ada.ocpp_version = "2.0.1"
    ada.save()
    path = "stations/ADA-1/installed-certificates/read/"

    assert [command["payload"] for command in api.post(path, {}, expect=202)] == [{}]
    assert len(api.post(path, {"uses": ["V2GRootCertificate", "MORootCertificate"]}, expect=202)) == 2
    assert api("POST", "stations/ADA-1/certificates/", {"use": "V2G20Certificate"}).status_code == 400


def test_the_end_of_a_known_root_is_told(api, ada):
    row = installed(ada)
    made = api.post("root-certificates/", {"use": "CSMSRootCertificate", "certificate": ROOT.pem}, expect=201)
    path = "stations/ADA-1/installed-certificates/"
    assert api.get(path)["results"][0]["not_after"] is None

    InstalledCertificate.objects.filter(pk=row.pk).update(root=made["id"])

    assert api.get(path)["results"][0]["not_after"] == made["not_after"]


def test_the_last_root_is_not_deleted_by_a_command_by_hand(api, ada):
    row = installed(ada)
    hashes = {"hashAlgorithm": "SHA256", "issuerNameHash": "AA", "issuerKeyHash": "bb", "serialNumber": "0CC"}
    body = {"action": "DeleteCertificate", "payload": {"certificateHashData": hashes}}
    assert "last CSMSRootCertificate" in str(parsed(api("POST", "stations/ADA-1/commands/", body)))
    assert not Command.objects.exists()

    InstalledCertificate.objects.filter(pk=row.pk).delete()

    assert api("POST", "stations/ADA-1/commands/", body).status_code == 202
