"""Images are offered only when hash, signature, certificate and signer are right (white paper A00.FR.706; C8)."""

import hashlib
from datetime import timedelta

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from cpo.lib import clock
from stations.models import FirmwareImage, StoredFile, TrustedSigner
from stations.services import file_store, files, firmware_checks, firmware_library
from stations.services.errors import (
    FileTooLarge,
    InvalidFileName,
    InvalidPayload,
    UnsuitableFirmware,
    UntrustedFirmware,
)
from tests import factories, signing

pytestmark = pytest.mark.django_db

CONTENT = b"firmware " * 1000
MAKER = signing.maker()


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FILES_ROOT = tmp_path
    return tmp_path


def add(maker: signing.Maker = MAKER, **facts) -> FirmwareImage:
    """Add an image that the maker signed."""
    given = {
        "vendor": "Volt",
        "version": "2",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "signature": maker.sign(CONTENT),
        "certificate": maker.certificate,
    }
    return firmware_library.add(
        [CONTENT[:100], CONTENT[100:]], file_name="a.bin", added_by="ada", **given | facts
    )


def trust(maker: signing.Maker = MAKER, vendor: str = "Volt") -> TrustedSigner:
    return firmware_library.trust(vendor, name="Volt root", certificate=maker.root, added_by="ada")


def test_an_image_that_its_maker_signed_is_verified():
    signer = trust()
    image = add()

    assert (image.state, image.signer, image.scheme, image.faults) == ("verified", signer, "ECDSA", [])
    assert b"".join(file_store.pieces(image.file.stored_as)) == CONTENT


@pytest.mark.parametrize(("filling", "scheme"), [(signing.PSS, "RSA-PSS"), (padding.PKCS1v15(), "RSA-PKCS1")])
def test_rsa_signatures_are_understood_and_named(filling, scheme):
    maker = signing.maker(key=rsa.generate_private_key(65537, 2048))
    trust(maker)

    assert add(maker, signature=maker.sign(CONTENT, by=filling)).scheme == scheme


def test_a_trusted_signing_certificate_needs_no_root():
    firmware_library.trust("Volt", name="itself", certificate=MAKER.certificate, added_by="ada")

    assert add().state == "verified"


def test_a_wrong_hash_is_refused():
    trust()
    image = add(sha256="0" * 64)

    assert (image.state, len(image.faults)) == ("refused", 1)
    assert hashlib.sha256(CONTENT).hexdigest() in image.faults[0]


def test_a_signature_of_something_else_is_refused():
    trust()

    assert add(signature=MAKER.sign(b"something else")).faults == [
        "The signature is not one of this file by this certificate."
    ]


@pytest.mark.parametrize("signature", ["no base64!", "", "A" * 12])
def test_a_signature_that_cannot_be_one_is_refused(signature):
    trust()

    if not signature:
        with pytest.raises(InvalidPayload, match="belong together"):
            add(signature=signature)
    else:
        assert add(signature=signature).state == "refused"


def test_a_signer_whom_nobody_trusts_is_refused():
    trust(signing.maker("Another maker"))

    assert add().faults == ["Nobody who is trusted for Volt vouches for the signer."]


def test_a_signer_who_is_trusted_for_another_vendor_is_refused():
    trust(vendor="Ampere")

    assert add().state == "refused"


@pytest.mark.parametrize(
    ("maker", "fault"),
    [
        (signing.maker(began=-60, days=30), "has expired"),
        (signing.maker(began=5), "is not valid yet"),
        (signing.maker(can_sign=False), "not one for digital signatures"),
        (signing.maker(key=rsa.generate_private_key(65537, 1024)), "fewer than 2048"),
        (signing.maker(key=ec.generate_private_key(ec.SECP192R1())), "fewer than 224"),
    ],
    ids=["expired", "early", "usage", "short rsa", "short curve"],
)
def test_a_certificate_that_may_not_sign_is_refused(maker, fault):
    trust(maker)

    assert any(fault in text for text in add(maker).faults)


def test_a_certificate_that_is_none_is_refused():
    trust()

    assert (
        add(certificate="-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----").state == "refused"
    )


def test_an_image_without_a_signature_is_offered_to_nobody_by_default(settings):
    image = add(signature="", certificate="")
    station = factories.station(vendor="Volt")

    assert (image.state, firmware_library.for_station(station)) == ("unsigned", [])
    settings.FIRMWARE_ALLOW_UNSIGNED = True
    assert firmware_library.for_station(station) == [image]


@pytest.mark.parametrize(
    ("pattern", "model", "fits"),
    [
        ("", "anything", True),
        ("Max", "max", True),
        ("Max", "Maximum", False),
        ("Max( Pro)?|Mini.*", "Mini 2", True),
        ("Max|Mini", "Mini 2", False),
    ],
)
def test_an_image_is_for_the_models_that_its_pattern_names(pattern, model, fits):
    trust()
    image = add(model_pattern=pattern)
    station = factories.station(vendor="VOLT", model=model)

    assert (image in firmware_library.for_station(station)) is fits


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "x" * 101])
def test_a_pattern_that_cannot_be_read_is_refused(pattern):
    with pytest.raises(InvalidPayload):
        add(model_pattern=pattern)

    assert not FirmwareImage.objects.exists()


def test_a_pattern_that_explodes_elsewhere_holds_nobody_up():
    trust()
    image = add(model_pattern="(a+)+b")
    station = factories.station(vendor="Volt", model="a" * 60)

    assert image not in firmware_library.for_station(station)


def test_a_signer_who_lost_trust_takes_the_image_along():
    signer, image = trust(), add()
    station = factories.station(vendor="Volt")
    firmware_library.check_offer(image, station)
    firmware_library.distrust(signer)

    with pytest.raises(UntrustedFirmware):
        firmware_library.check_offer(image, station)


def test_a_certificate_that_has_expired_since_takes_the_image_along():
    trust()
    image = add()
    with (
        time_machine.travel(clock.now() + timedelta(days=40), tick=False),
        pytest.raises(UntrustedFirmware, match="expired"),
    ):
        firmware_library.check_offer(image, factories.station(vendor="Volt"))


def test_a_file_that_was_changed_on_the_disk_is_not_offered():
    trust()
    image = add()
    file_store.path(image.file.stored_as).write_bytes(b"evil")

    with pytest.raises(UntrustedFirmware, match="not what it was"):
        firmware_library.check_offer(image, factories.station(vendor="Volt"))


def test_a_file_that_is_gone_is_not_offered():
    trust()
    image = add()
    file_store.remove(image.file.stored_as)

    with pytest.raises(UnsuitableFirmware, match="disk"):
        firmware_library.check_offer(image, factories.station(vendor="Volt"))


def test_an_image_that_was_withdrawn_is_not_offered():
    trust()
    image = add()
    firmware_library.withdraw(image)
    image.refresh_from_db()

    with pytest.raises(UnsuitableFirmware, match="withdrawn"):
        firmware_library.check_offer(image, factories.station(vendor="Volt"))


def test_a_file_that_is_too_large_leaves_neither_image_nor_file(settings, folder):
    settings.FILES_MAX_BYTES = 100

    with pytest.raises(FileTooLarge):
        add()
    assert not FirmwareImage.objects.exists()
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_name_that_leads_out_of_its_folder_leaves_nothing():
    with pytest.raises(InvalidFileName):
        files.store([b"x"], kind="firmware", name="../x", uploaded_by="ada")

    assert not StoredFile.objects.exists()


def test_the_same_signer_is_trusted_once():
    first, second = trust(), trust()

    assert first == second
    assert first.fingerprint == firmware_checks.fingerprint(firmware_checks.read_certificates(MAKER.root)[0])


@pytest.mark.parametrize(
    "pem", ["", "nonsense", MAKER.root + MAKER.certificate], ids=["nothing", "nonsense", "two"]
)
def test_what_is_not_one_certificate_is_not_trusted(pem):
    with pytest.raises(UntrustedFirmware):
        firmware_library.trust("Volt", name="x", certificate=pem, added_by="ada")


def test_an_expired_root_is_not_trusted():
    old = signing.maker(began=-60, days=30)

    with pytest.raises(UntrustedFirmware, match="expired"):
        firmware_library.trust("Volt", name="x", certificate=old.certificate, added_by="ada")
