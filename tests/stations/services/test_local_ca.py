"""Our own authority: made at first use, keys encrypted, certificates as the white paper wants them (section 2.6)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cpo.lib import clock
from stations.models import AuthorityCertificate, ChargingStation
from stations.pki import certificates as x
from stations.pki import chains
from stations.services import certificates
from stations.services.certificate_authority import AuthorityRefused, AuthorityUnavailable, Issued, Wish
from stations.services.local_ca import FileAuthority, LocalAuthority
from tests import factories, pki

pytestmark = pytest.mark.django_db
STATION, V2G = "ChargingStationCertificate", "V2GCertificate"


@pytest.fixture
def station() -> ChargingStation:
    return factories.station("ADA-1")


def sign(authority: LocalAuthority | None = None, *, use: str = STATION, key: Any = None) -> Issued:
    wish = Wish(pki.csr(key=key), use, "ADA-1", pki.OPERATOR, "ADA-1")
    issued = (authority or LocalAuthority()).sign(wish)
    assert isinstance(issued, Issued)
    return issued


def test_what_it_signs_opens_the_stations_connection(station: ChargingStation) -> None:
    chain = sign().chain

    assert certificates.check_client(x.pem(*chain), station=station) is None
    assert certificates.check_client(x.pem(chain[0]), station=station) is None


def test_what_it_signs_keeps_the_rules_of_the_white_paper() -> None:
    leaf = sign().chain[0]

    extensions = leaf.extensions
    assert x.label(leaf.subject) == "CN=ADA-1, O=Ada's chargers"
    assert leaf.signature_hash_algorithm is not None
    assert leaf.signature_hash_algorithm.name == "sha256"
    assert 64 < leaf.serial_number.bit_length() <= 160
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    assert extensions.get_extension_for_class(x509.KeyUsage).critical
    with pytest.raises(x509.ExtensionNotFound):
        extensions.get_extension_for_class(x509.SubjectAlternativeName)  # A00.FR.511


def test_validity_is_that_of_the_settings(settings: Any) -> None:
    settings.CERTIFICATE_STATION_DAYS = 7

    leaf = sign().chain[0]

    assert leaf.not_valid_after_utc - clock.now() < timedelta(days=7, seconds=1)
    assert leaf.not_valid_before_utc < clock.now()


def test_nothing_is_valid_longer_than_what_signed_it(settings: Any) -> None:
    settings.CERTIFICATE_ISSUING_DAYS = 3

    leaf, issuing = sign().chain

    assert leaf.not_valid_after_utc == issuing.not_valid_after_utc


def test_its_keys_are_made_once_and_lie_encrypted() -> None:
    one, other = sign(), sign()

    rows = AuthorityCertificate.objects.order_by("role")
    assert [row.role for row in rows] == ["root", "stations"]
    assert one.chain[1] == other.chain[1]
    assert one.chain[0].serial_number != other.chain[0].serial_number
    assert all("PRIVATE" not in row.private_key for row in rows)


def test_asking_for_roots_makes_none() -> None:
    assert LocalAuthority().roots(STATION) == LocalAuthority().intermediates(STATION) == []
    assert not AuthorityCertificate.objects.exists()


def test_a_lost_field_key_is_told(settings: Any) -> None:
    sign()
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    from stations.services import local_ca

    local_ca._opened.cache_clear()
    with pytest.raises(AuthorityUnavailable, match="FIELD_KEY"):
        sign()


def test_an_rsa_station_gets_a_chain_of_rsa(station: ChargingStation) -> None:
    leaf, issuing = sign(key=pki.rsa_key()).chain
    root = LocalAuthority().roots(STATION)[0]

    assert isinstance(leaf.signature_algorithm_parameters, padding.PKCS1v15)
    assert chains.path(leaf, intermediates=[issuing], roots=[root], at=clock.now())
    assert certificates.check_client(x.pem(leaf), station=station) is None


def test_a_v2g_certificate_has_a_hierarchy_and_a_profile_of_its_own(station: ChargingStation) -> None:
    leaf, issuing = sign(use=V2G).chain

    assert leaf.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)[0].value == "CPO"
    assert leaf.extensions.get_extension_for_class(x509.KeyUsage).value.key_agreement
    assert chains.path(leaf, intermediates=[issuing], roots=LocalAuthority().roots(V2G), at=clock.now())
    assert certificates.check_client(x.pem(leaf, issuing), station=station) == "bad_certificate"


def test_a_v2g_certificate_needs_the_vehicles_curve() -> None:
    for key in (pki.rsa_key(), pki.ec_key(ec.SECP384R1())):
        with pytest.raises(AuthorityRefused, match="P-256"):
            sign(use=V2G, key=key)


def test_the_address_of_the_ocsp_responder_is_written_in_unless_there_is_none(settings: Any) -> None:
    settings.CERTIFICATE_OCSP_URL = "https://cpo.example/pki/ocsp"
    assert b"https://cpo.example/pki/ocsp" in sign().chain[0].tbs_certificate_bytes

    settings.CERTIFICATE_OCSP_URL = ""
    with pytest.raises(x509.ExtensionNotFound):
        sign().chain[0].extensions.get_extension_for_class(x509.AuthorityInformationAccess)


def test_keys_in_files_sign_too(tmp_path: Path, settings: Any, station: ChargingStation) -> None:
    settings.CERTIFICATE_AUTHORITY_FOLDER = str(tmp_path)
    root = pki.authority("File root")
    issuing = pki.authority("File issuing", issuer=root)
    (tmp_path / "stations.pem").write_text(issuing.pem + root.pem)
    (tmp_path / "stations.key").write_text(issuing.key_pem)

    chain = sign(FileAuthority()).chain

    assert chain[1] == issuing.certificate
    assert FileAuthority().roots(STATION) == [root.certificate]
    assert FileAuthority().intermediates(STATION) == [issuing.certificate]
    assert not AuthorityCertificate.objects.exists()


@pytest.mark.parametrize("files", [{}, {"stations.key": "hello"}])
def test_missing_or_broken_files_are_told(tmp_path: Path, settings: Any, files: dict[str, str]) -> None:
    settings.CERTIFICATE_AUTHORITY_FOLDER = str(tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    with pytest.raises(AuthorityUnavailable):
        sign(FileAuthority())
