"""Transaction events of OCPP 2.x: the set from which a charging session follows, in whatever order it arrives."""

from django.db import models


class TransactionEvent(models.Model):
    """One TransactionEvent of a station (E01 to E15). Partitioned by `at`, one part a month; no foreign keys.

    The primary key is the business key of the event: a repeated message adds nothing. Readings are stored as samples
    of the session.
    """

    class Type(models.TextChoices):
        STARTED = "Started"
        UPDATED = "Updated"
        ENDED = "Ended"

    pk = models.CompositePrimaryKey("station_id", "transaction_id", "seq_no", "at")
    station_id = models.BigIntegerField()
    transaction_id = models.CharField(max_length=36)
    seq_no = models.IntegerField()
    at = models.DateTimeField()  # as the station dated it, corrected when it cannot be true
    received_at = models.DateTimeField()
    type = models.CharField(max_length=8, choices=Type.choices)
    trigger = models.CharField(max_length=50)  # TriggerReasonEnumType
    charging_state = models.CharField(max_length=20)  # ChargingStateEnumType; '' when not told
    is_offline = models.BooleanField()
    evse_id = models.BigIntegerField()  # row id; 0: not told
    connector_number = models.IntegerField()  # 0: not told
    id_token = models.CharField(max_length=255)  # '' when none was presented
    stop_reason = models.CharField(max_length=40)
    remote_start_id = models.BigIntegerField(null=True)
    reservation_id = models.CharField(max_length=36)

    class Meta:
        managed = False  # made by a migration: Django cannot declare partitions
        db_table = "stations_transactionevent"

    def __str__(self) -> str:
        return f"{self.transaction_id}/{self.seq_no}"
