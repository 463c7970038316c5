"""The library of firmware: trusted signers, images, and whether an image may be offered to a station."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import DataError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat

from cpo.lib import clock, events
from stations.events import FirmwareLibraryChanged
from stations.models import ChargingStation, FileLink, FirmwareImage, StoredFile, TrustedSigner
from stations.services import file_store, files, firmware_checks
from stations.services.errors import InvalidPayload, UnsuitableFirmware, UntrustedFirmware

State = FirmwareImage.State
PATTERN_LENGTH = 100  # characters of a model pattern


@transaction.atomic(savepoint=False)
def trust(vendor: str, *, name: str, certificate: str, added_by: str) -> TrustedSigner:
    """Trust a certificate for a vendor's firmware, once; raise `UntrustedFirmware` when it cannot be used."""
    found = firmware_checks.read_certificates(certificate)
    now = clock.now()
    if len(found) != 1:
        raise UntrustedFirmware(["Exactly one certificate is trusted at a time."])
    if found[0].not_valid_after_utc < now:
        raise UntrustedFirmware(["The certificate has expired."])
    signer, _ = TrustedSigner.objects.update_or_create(
        vendor=vendor.strip(),
        fingerprint=firmware_checks.fingerprint(found[0]),
        defaults={
            "name": name[:100],
            "certificate": certificate,
            "subject": found[0].subject.rfc4514_string()[:255],
            "not_after": found[0].not_valid_after_utc,
            "is_active": True,
            "added_by": added_by[:100],
            "added_at": now,
        },
    )
    events.publish(FirmwareLibraryChanged())
    return signer


@transaction.atomic(savepoint=False)
def distrust(signer: TrustedSigner) -> None:
    """Trust a certificate no longer: images that rest on it are not offered any more."""
    TrustedSigner.objects.filter(pk=signer.pk).update(is_active=False)
    events.publish(FirmwareLibraryChanged())


@transaction.atomic(savepoint=False)
def describe(
    *,
    vendor: str,
    version: str,
    model_pattern: str = "",
    sha256: str = "",
    signature: str = "",
    certificate: str = "",
    notes: str = "",
    added_by: str,
) -> FirmwareImage:
    """Write down what an image shall be; its file comes by `attach`. Raise `InvalidPayload`.

    `sha256` is hexadecimal, `signature` base64, `certificate` PEM: the signing certificate first.
    """
    _check_pattern(model_pattern)
    if sha256 and (len(sha256) != 64 or not all(c in "0123456789abcdef" for c in sha256.lower())):
        raise InvalidPayload("sha256", "64 hexadecimal digits")
    if bool(signature) != bool(certificate):
        raise InvalidPayload("signature", "a signature and its certificate belong together")
    if len(signature) > firmware_checks.MAX_SIGNATURE:
        raise InvalidPayload("signature", f"at most {firmware_checks.MAX_SIGNATURE} characters")
    if len(certificate) > firmware_checks.MAX_CERTIFICATE:
        raise InvalidPayload("certificate", f"at most {firmware_checks.MAX_CERTIFICATE} characters")
    image = FirmwareImage.objects.create(
        vendor=vendor.strip(),
        version=version.strip(),
        model_pattern=model_pattern,
        sha256=sha256.lower(),
        signature="".join(signature.split()),
        certificate=certificate,
        notes=notes,
        added_by=added_by[:100],
        added_at=clock.now(),
    )
    events.publish(FirmwareLibraryChanged())
    return image


@transaction.atomic(savepoint=False)
def await_file(image: FirmwareImage) -> str:
    """Make a link that takes the image's file, and return its URL."""
    if image.state != State.AWAITING:
        raise InvalidPayload("state", "the image has its file already")
    files.revoke(image.link)
    image.link, url = files.upload_link(
        kind=StoredFile.Kind.FIRMWARE, created_by=image.added_by, name="firmware.bin"
    )
    image.save(update_fields=["link"])
    return url


@transaction.atomic(savepoint=False)
def file_arrived(link: FileLink, file: StoredFile) -> FirmwareImage | None:
    """Give the file that came over a link to the image that waits for it."""
    image = FirmwareImage.objects.select_for_update().filter(link=link, state=State.AWAITING).first()
    return attach(image, file) if image is not None else None


def add(pieces: Iterable[bytes], *, file_name: str, added_by: str, **facts: Any) -> FirmwareImage:
    """Describe an image and keep its file in one go; return it checked. Raise what `describe` and `files.store` do."""
    with transaction.atomic():
        image = describe(added_by=added_by, **facts)
    try:
        file = files.store(pieces, kind=StoredFile.Kind.FIRMWARE, name=file_name, uploaded_by=added_by)
    except BaseException:
        image.delete()
        raise
    return attach(image, file)


@transaction.atomic(savepoint=False)
def attach(image: FirmwareImage, file: StoredFile) -> FirmwareImage:
    """Give an image its file and check it: hash, signature, certificate, signer. It is refused with every reason."""
    image.file, image.checked_at, image.faults = file, clock.now(), []
    image.signer, image.scheme = None, ""
    if image.sha256 and image.sha256 != file.sha256:
        image.faults.append(f"The file's SHA-256 is {file.sha256}, not what was given.")
    if image.signature:
        _check_signature(image, bytes.fromhex(file.sha256))
    image.state = State.REFUSED if image.faults else State.VERIFIED if image.signature else State.UNSIGNED
    image.save(update_fields=["file", "checked_at", "faults", "signer", "scheme", "state"])
    events.publish(FirmwareLibraryChanged())
    return image


@transaction.atomic(savepoint=False)
def withdraw(image: FirmwareImage) -> None:
    """Offer the image no longer; links to its file end at once."""
    FirmwareImage.objects.filter(pk=image.pk).update(state=State.WITHDRAWN)
    FileLink.objects.filter(file=image.file_id, direction="download", revoked_at=None).update(
        revoked_at=clock.now()
    )
    files.revoke(image.link)
    events.publish(FirmwareLibraryChanged())


def for_station(station: ChargingStation) -> list[FirmwareImage]:
    """Return the images that may be offered to a station, the newest first."""
    states = [State.VERIFIED, *([State.UNSIGNED] if settings.FIRMWARE_ALLOW_UNSIGNED else [])]
    rows = FirmwareImage.objects.filter(vendor__iexact=station.vendor, state__in=states)
    return list(_of_model(rows, station.model).select_related("file", "signer"))


def check_offer(image: FirmwareImage, station: ChargingStation) -> None:
    """Raise `UnsuitableFirmware` or `UntrustedFirmware` unless the image may go to this station now."""
    _check_state(image)
    if image not in for_station(station):
        raise UnsuitableFirmware(
            f"the image is for {image.vendor} {image.model_pattern or '(all models)'}, "
            f"the station is {station.vendor or 'of an unknown vendor'} {station.model}"
        )
    check_sound(image)


def check_sound(image: FirmwareImage) -> StoredFile:
    """Return the image's file; raise `UnsuitableFirmware` or `UntrustedFirmware` unless it may go out now.

    Certificates expire and signers lose trust after an image was checked, and a disk can be changed behind our back:
    all of it is looked at again.
    """
    file = _check_state(image)
    if image.signature:
        firmware_checks.check_signer(image.vendor, image.certificate)
    try:
        digest = file_store.digest(file.stored_as)
    except FileNotFoundError as error:
        raise UnsuitableFirmware("the image's file is not on the disk any more") from error
    if digest.hex() != file.sha256:
        raise UntrustedFirmware(["The image's file is not what it was when it was checked."])
    return file


def _check_state(image: FirmwareImage) -> StoredFile:
    if image.state == State.UNSIGNED and not settings.FIRMWARE_ALLOW_UNSIGNED:
        raise UnsuitableFirmware("the image has no signature (FIRMWARE_ALLOW_UNSIGNED)")
    if image.state not in (State.VERIFIED, State.UNSIGNED) or image.file is None:
        raise UnsuitableFirmware(f"the image is {image.get_state_display().lower()}")
    return image.file


def _check_signature(image: FirmwareImage, digest: bytes) -> None:
    try:
        image.signer = firmware_checks.check_signer(image.vendor, image.certificate)
    except UntrustedFirmware as error:
        image.faults += error.faults
    try:
        image.scheme = firmware_checks.check_signature(
            digest, signature=image.signature, pem=image.certificate
        )
    except UntrustedFirmware as error:
        image.faults += [fault for fault in error.faults if fault not in image.faults]


def _of_model(rows: Any, model: str) -> Any:
    """Match by the database, whose regular expressions cannot be made to run for ever."""
    whole = Concat(Value("^(?:"), F("model_pattern"), Value(")$"))
    every = rows.filter(model_pattern="")
    return every | rows.exclude(model_pattern="").annotate(model=Value(model)).filter(model__iregex=whole)


def _check_pattern(pattern: str) -> None:
    if len(pattern) > PATTERN_LENGTH:
        raise InvalidPayload("model_pattern", f"at most {PATTERN_LENGTH} characters")
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select '' ~* %s", [f"^(?:{pattern})$"])
    except DataError as error:
        raise InvalidPayload("model_pattern", "no regular expression that can be read") from error
