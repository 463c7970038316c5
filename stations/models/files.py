"""Files that stations send and fetch, and the links by which they do."""

from django.db import models

from stations.models.locations import ChargingStation, new_uid


class StoredFile(models.Model):
    """A file on our disk. What it is called outside is a label only: on disk it has a random name of ours."""

    class Kind(models.TextChoices):
        LOG = "log", "Log of a station"
        FIRMWARE = "firmware", "Firmware image"

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=255)  # as the sender called it, cleaned; never a path
    content_type = models.CharField(max_length=100, blank=True)  # as the sender called it; never served
    size = models.BigIntegerField()  # bytes
    sha256 = models.CharField(max_length=64)  # hexadecimal, made while it was written
    stored_as = models.CharField(max_length=64, unique=True)  # name on disk below FILES_ROOT
    station = models.ForeignKey(
        ChargingStation, on_delete=models.SET_NULL, null=True, blank=True, related_name="files"
    )
    uploaded_by = models.CharField(max_length=100, blank=True)  # a user, an API token or a station
    stored_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["station", "-id"], name="file_of_station"),
            models.Index(fields=["kind", "stored_at"], name="file_by_age"),
        ]

    def __str__(self) -> str:
        return self.name


class FileLink(models.Model):
    """A URL that may be used without a login: whoever knows its token. The token itself is not kept, only its hash.

    An upload link takes one file, once. A download link serves its file, in pieces and again, until it expires or what
    it was made for is over: only the station knows when it has all of it.
    """

    class Direction(models.TextChoices):
        UPLOAD = "upload"
        DOWNLOAD = "download"

    token_hash = models.BinaryField(max_length=32, unique=True)  # SHA-256; the token has 256 bits of chance
    direction = models.CharField(max_length=8, choices=Direction.choices)
    kind = models.CharField(max_length=8, choices=StoredFile.Kind.choices)
    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, null=True, blank=True, related_name="file_links"
    )  # None: an operator's own upload
    file = models.ForeignKey(
        StoredFile, on_delete=models.SET_NULL, null=True, blank=True, related_name="links"
    )  # what it serves, or what it has taken
    max_bytes = models.BigIntegerField()
    created_by = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)  # upload: taken; download: first served to its end
    uses = models.PositiveIntegerField(default=0)  # requests that were served
    revoked_at = models.DateTimeField(null=True, blank=True)
    remote_address = models.CharField(max_length=64, blank=True)  # of the newest use
    last_fault = models.CharField(max_length=100, blank=True)  # why the newest attempt failed

    def __str__(self) -> str:
        return f"{self.direction} {self.pk}"

    @property
    def is_upload(self) -> bool:
        return self.direction == self.Direction.UPLOAD
