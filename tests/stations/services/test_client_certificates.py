"""Does a certificate prove to be that station? (A00.FR.403 to .408, .427, .702; attack H11)."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from cpo.lib import clock
from stations.models import ChargingStation, RevokedCertificate, RootCertificate, StationCertificate
from stations.pki import certificates as x
from stations.services import certificates, client_certificates
from tests import factories, pki
from tests.pki import Pair

pytestmark = pytest.mark.django_db
ROOT = pki.authority("Trusted root")


@pytest.fixture
def station() -> ChargingStation:
    trust(ROOT)
    return factories.station("ADA-1", serial_number="SN-77")


def trust(root: Pair, *, is_trusted: bool = True) -> RootCertificate:
    now = clock.now()
    return RootCertificate.objects.create(
        use="CSMSRootCertificate",
        certificate=root.pem,
        fingerprint=x.fingerprint(root.certificate),
        is_trusted=is_trusted,
        not_before=now,
        not_after=now,
    )


def check(leaf: Pair, station: ChargingStation) -> str | None:
    return certificates.check_client(leaf.pem.encode(), station=station)


@pytest.mark.parametrize("name", ["ADA-1", "SN-77"])
def test_a_good_certificate_with_identity_or_serial_number_is_good(
    station: ChargingStation, name: str
) -> None:
    assert check(pki.leaf(ROOT, name), station) is None


def test_der_is_as_good_as_pem(station: ChargingStation) -> None:
    der = pki.leaf(ROOT).certificate.public_bytes(x509_encoding())

    assert certificates.check_client(der, station=station) is None


def x509_encoding() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


def test_an_intermediate_that_is_shown_along_leads_to_the_root(station: ChargingStation) -> None:
    issuing = pki.authority("Issuing", issuer=ROOT)
    text = pki.leaf(issuing).pem + issuing.pem

    assert certificates.check_client(text.encode(), station=station) is None


@pytest.mark.parametrize("text", [b"", b"hello", b"\x30\x03abc", b"-----BEGIN CERTIFICATE-----\nAA\n"])
def test_what_cannot_be_read_is_a_bad_certificate(station: ChargingStation, text: bytes) -> None:
    assert certificates.check_client(text, station=station) == "bad_certificate"


def test_a_strangers_certificate_is_bad(station: ChargingStation) -> None:
    assert check(pki.leaf(pki.authority("Trusted root")), station) == "bad_certificate"


def test_a_certificate_that_signed_itself_with_our_name_is_bad(station: ChargingStation) -> None:
    assert check(pki.certificate(pki.name("ADA-1")), station) == "bad_certificate"


def test_a_root_that_is_not_marked_as_trusted_opens_nothing(station: ChargingStation) -> None:
    other = pki.authority("Maker")
    trust(other, is_trusted=False)

    assert check(pki.leaf(other), station) == "bad_certificate"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"days": (-9, -1)}, "certificate_expired"),
        ({"days": (1, 9)}, "bad_certificate"),
        ({"ca": True}, "bad_certificate"),
        (
            {"extensions": ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),)},
            "bad_certificate",
        ),
        ({"key": pki.rsa_key(1024)}, "bad_certificate"),
        ({"organization": "Bo's chargers"}, "certificate_identity"),
        ({"organization": None}, "certificate_identity"),
        ({"common_name": "BEA-1"}, "certificate_identity"),
        ({"common_name": "ada-1"}, "certificate_identity"),
        ({"common_name": ""}, "certificate_identity"),
    ],
)
def test_the_reason_is_told(station: ChargingStation, options: dict[str, Any], reason: str) -> None:
    if options.get("common_name") == "":
        options = {"common_name": " "}

    assert check(pki.leaf(ROOT, **options), station) == reason


def test_case_and_spaces_of_the_organisation_make_no_difference(station: ChargingStation) -> None:
    assert check(pki.leaf(ROOT, organization=" ADA'S  Chargers"), station) is None


def test_a_trusted_organisation_may_own_the_certificate(station: ChargingStation, settings: Any) -> None:
    settings.CERTIFICATE_ORGANIZATIONS = ["Bo's chargers"]

    assert check(pki.leaf(ROOT, organization="Bo's chargers"), station) is None


def test_a_revoked_certificate_is_told_so(station: ChargingStation) -> None:
    leaf = pki.leaf(ROOT)
    revoke(leaf)

    assert check(leaf, station) == "certificate_revoked"


def test_a_revoked_intermediate_takes_its_leaves_along(station: ChargingStation) -> None:
    issuing = pki.authority("Issuing", issuer=ROOT)
    revoke(issuing)
    text = pki.leaf(issuing).pem + issuing.pem

    assert certificates.check_client(text, station=station) == "certificate_revoked"


def revoke(pair: Pair) -> None:
    RevokedCertificate.objects.create(
        issuer_name_hash=client_certificates.issuer_name_hash(pair.certificate.issuer),
        serial_number=x.serial_hex(pair.certificate),
        revoked_at=clock.now(),
    )


def test_a_serial_number_that_two_stations_tell_names_neither(station: ChargingStation) -> None:
    factories.station("BEA-1", serial_number="SN-77")

    assert check(pki.leaf(ROOT, "SN-77"), station) == "certificate_identity"


def test_a_station_cannot_take_anothers_name_by_telling_it_as_its_serial_number(
    station: ChargingStation,
) -> None:
    thief = factories.station("BEA-1", serial_number="ADA-1")

    assert check(pki.leaf(ROOT, "ADA-1"), thief) == "certificate_identity"
    assert check(pki.leaf(ROOT, "ADA-1"), station) is None


def issued(leaf: Pair, station: ChargingStation, **fields: Any) -> StationCertificate:
    return StationCertificate.objects.create(
        station=station,
        fingerprint=x.fingerprint(leaf.certificate),
        **{"state": "accepted", "requested_at": clock.now()} | fields,
    )


def test_what_was_issued_to_one_station_is_no_others(station: ChargingStation) -> None:
    leaf = pki.leaf(ROOT)
    issued(leaf, factories.station("BEA-1"))

    assert check(leaf, station) == "certificate_identity"


def test_a_certificate_that_is_seen_takes_the_place_of_the_former(station: ChargingStation) -> None:
    old, new = pki.leaf(ROOT), pki.leaf(ROOT)
    former, row = issued(old, station, state="in_use", seen_at=clock.now()), issued(new, station)

    assert check(new, station) is None

    former.refresh_from_db()
    row.refresh_from_db()
    assert (former.state, row.state, row.seen_at is not None) == ("replaced", "in_use", True)


def test_a_station_may_fall_back_on_its_former_certificate(station: ChargingStation) -> None:
    leaf = pki.leaf(ROOT)
    issued(leaf, station, state="replaced", seen_at=clock.now())

    assert check(leaf, station) is None


def test_the_station_of_a_certificate_is_found(station: ChargingStation) -> None:
    assert certificates.find_valid(pki.leaf(ROOT).pem) == (station, None)
    assert certificates.find_valid(pki.leaf(ROOT, "BEA-1").pem) == (None, "certificate_identity")
    assert certificates.find_valid(pki.leaf(ROOT, days=(-9, -1)).pem) == (None, "certificate_expired")
    assert certificates.find_valid(b"hello") == (None, "bad_certificate")


def test_without_an_authority_of_ours_marked_roots_are_trusted_all_the_same(
    station: ChargingStation, settings: Any
) -> None:
    settings.CERTIFICATE_AUTHORITY = ""

    assert check(pki.leaf(ROOT), station) is None
