"""Firmware: who may sign it, the images, and their way into stations."""

from django.db import models

from stations.models.files import FileLink, StoredFile
from stations.models.locations import ChargingStation, new_uid
from stations.models.transfers import Transfer, TransferStatus


class TrustedSigner(models.Model):
    """A certificate that vouches for a vendor's firmware: the maker's root, or the signing certificate itself."""

    vendor = models.CharField(max_length=255)  # as stations report it; compared without case
    name = models.CharField(max_length=100)
    certificate = models.TextField()  # PEM
    subject = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of the DER form, hexadecimal
    not_after = models.DateTimeField()
    is_active = models.BooleanField(default=True)
    added_by = models.CharField(max_length=100, blank=True)
    added_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["vendor", "fingerprint"], name="signer_once")]
        ordering = ["vendor", "name"]

    def __str__(self) -> str:
        return f"{self.vendor}: {self.name}"


class FirmwareImage(models.Model):
    """Firmware of one vendor for some models. It is offered to stations only once it is checked."""

    class State(models.TextChoices):
        AWAITING = "awaiting", "Waits for its file"
        VERIFIED = "verified", "Verified"
        UNSIGNED = "unsigned", "Without a signature"
        REFUSED = "refused", "Refused"
        WITHDRAWN = "withdrawn", "Withdrawn"

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    vendor = models.CharField(max_length=255)
    model_pattern = models.CharField(
        max_length=100, blank=True
    )  # regular expression; empty: all of the vendor
    version = models.CharField(max_length=255)
    notes = models.TextField(blank=True)
    file = models.ForeignKey(
        StoredFile, on_delete=models.PROTECT, null=True, blank=True, related_name="images"
    )
    link = models.ForeignKey(
        FileLink, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )  # by which its file comes
    sha256 = models.CharField(max_length=64, blank=True)  # what the maker says it is, hexadecimal
    signature = models.CharField(max_length=1100, blank=True)  # base64
    certificate = models.TextField(blank=True)  # PEM: the signing certificate, then those above it
    scheme = models.CharField(max_length=20, blank=True)  # how it is signed, such as RSA-PSS
    signer = models.ForeignKey(TrustedSigner, on_delete=models.PROTECT, null=True, blank=True)
    state = models.CharField(max_length=9, choices=State.choices, default=State.AWAITING)
    faults = models.JSONField(default=list)  # why it was refused, in sentences
    checked_at = models.DateTimeField(null=True, blank=True)
    added_by = models.CharField(max_length=100, blank=True)
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.vendor} {self.version}"


class FirmwareUpdate(Transfer):
    """One station's way to one firmware, from the plan to its end."""

    class State(models.TextChoices):
        SCHEDULED = "scheduled", "On its way to the station"
        ACCEPTED = "accepted", "Accepted"
        RUNNING = "running", "Under way"
        INSTALLED = "installed", "Installed"
        FAILED = "failed", "Failed"
        REJECTED = "rejected", "Rejected"
        UNANSWERED = "unanswered", "No answer"
        STALLED = "stalled", "Came to a halt"
        CANCELLED = "cancelled", "Cancelled"

    OPEN = (State.SCHEDULED, State.ACCEPTED, State.RUNNING)

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="firmware_updates")
    image = models.ForeignKey(FirmwareImage, on_delete=models.PROTECT, null=True, blank=True)
    publication = models.ForeignKey(
        "FirmwarePublication", on_delete=models.SET_NULL, null=True, blank=True, related_name="updates"
    )  # of a local controller, from which the station fetches it
    version = models.CharField(max_length=255, blank=True)  # what the station shall report afterwards
    version_before = models.CharField(max_length=255, blank=True)
    is_signed = models.BooleanField(default=True)
    retrieve_at = models.DateTimeField()
    install_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.SCHEDULED)
    planned_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "request_id"], name="firmware_request_once")
        ]
        indexes = [
            models.Index(fields=["station", "-id"], name="firmware_of_station"),
            models.Index(
                fields=["changed_at"],
                name="firmware_open",
                condition=models.Q(state__in=["scheduled", "accepted", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station_id}: {self.version or self.location}"


class FirmwareStatus(TransferStatus):
    """One thing that was said about firmware: by the station, or by what became of the command."""

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="firmware_statuses")
    update = models.ForeignKey(
        FirmwareUpdate, on_delete=models.CASCADE, null=True, blank=True, related_name="history"
    )  # None: belongs to no update of ours

    class Meta(TransferStatus.Meta):
        indexes = [models.Index(fields=["station", "-id"], name="firmware_status_of_station")]
