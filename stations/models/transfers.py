"""What requests about files have in common, whichever way the file goes: the row, and each word said about it."""

from typing import Any, ClassVar

from django.db import models

from stations.models.files import FileLink
from stations.models.locations import new_uid


class Transfer(models.Model):
    """One request about a file, from its begin to its end; which states there are, each kind says itself."""

    OPEN: ClassVar[tuple[str, ...]] = ()  # states in which something is still to be expected
    station: Any  # whose it is; declared by each kind, as is its state
    station_id: int
    state: Any

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    request_id = models.PositiveIntegerField()  # OCPP requestId, at most 31 bits
    location = models.CharField(max_length=512, blank=True)  # of a server that is not ours
    link = models.ForeignKey(FileLink, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    retries = models.PositiveSmallIntegerField(null=True, blank=True)
    retry_interval_s = models.PositiveIntegerField(null=True, blank=True)
    status = models.CharField(max_length=40, blank=True)  # the station's newest word
    reason = models.CharField(max_length=255, blank=True)  # why it ended without success
    requested_by = models.CharField(max_length=100, blank=True)
    changed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def is_open(self) -> bool:
        """True while something is still to be expected."""
        return self.state in self.OPEN


class TransferStatus(models.Model):
    """One thing that was said about a transfer: by the station, or by what became of the command."""

    request_id = models.BigIntegerField(null=True, blank=True)
    status = models.CharField(max_length=40)
    remark = models.CharField(max_length=255, blank=True)  # repeated, late, or why
    at = models.DateTimeField()

    class Meta:
        abstract = True
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return self.status
