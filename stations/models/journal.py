"""The bulk tables: every frame and every meter sample. Partitioned by time, written in batches, never updated.

They have no foreign keys: at thousands of rows a second each one would cost a lookup. Partitions are made ahead and
dropped after retention by `stations.services.partitions`.
"""

from django.db import models


class Frame(models.Model):
    """One OCPP frame, in or out, as it was on the wire (secrets blanked). Partitioned by `at`, one part a day."""

    class Direction(models.TextChoices):
        IN = "i", "from the station"
        OUT = "o", "to the station"

    pk = models.CompositePrimaryKey("at", "id")
    id = models.BigIntegerField()
    at = models.DateTimeField()  # received or sent
    station_id = models.BigIntegerField()
    epoch = models.BigIntegerField()
    direction = models.CharField(max_length=1, choices=Direction.choices)
    message_type = models.SmallIntegerField()  # 2 CALL, 3 CALLRESULT, 4 CALLERROR, 5, 6; 0: unreadable
    message_id = models.TextField()
    action = models.TextField()  # of the CALL that it is or answers; '' when unknown
    text = models.TextField()
    verdict = models.TextField()  # '' ordinary; else flags or the error code, comma separated

    class Meta:
        managed = False  # made by migration 0002: Django cannot declare partitions
        db_table = "stations_frame"
        ordering = ["-at", "-id"]


class ReadingKind(models.Model):
    """What a sample measures. Interned: a sample carries the small number instead of five words."""

    id = models.AutoField(primary_key=True)
    measurand = models.CharField(max_length=64)
    phase = models.CharField(max_length=16, blank=True)  # '' : all phases together
    location = models.CharField(max_length=32)
    context = models.CharField(max_length=32)
    unit = models.CharField(max_length=16)  # base unit: Wh, W, A, V, Percent, …

    class Meta:
        managed = False  # made by migration 0002; belongs to the samples and is never emptied without them
        db_table = "stations_readingkind"

    def __str__(self) -> str:
        return self.measurand


class MeterSample(models.Model):
    """One sampled value in its kind's base unit. Partitioned by `sampled_at`, one part a month.

    The primary key is the business key of a sample: a repeated message adds nothing.
    """

    pk = models.CompositePrimaryKey("session_id", "sampled_at", "kind_id", "evse_id")
    session_id = models.BigIntegerField()  # 0: outside any session
    sampled_at = models.DateTimeField()  # as the station dated it (corrected when it cannot be true)
    kind_id = models.IntegerField()
    evse_id = models.BigIntegerField()  # 0: the station's main meter
    value = models.DecimalField(max_digits=24, decimal_places=6)

    class Meta:
        managed = False  # made by migration 0002
        db_table = "stations_metersample"
