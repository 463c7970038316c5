"""What was said to partners and by them."""

from django.db import models

from roaming.models.connections import Connection


class Exchange(models.Model):
    """One HTTP request with its answer, in or out: tokens blanked, bodies cut. Kept OCPI_EXCHANGE_RETENTION_DAYS."""

    class Direction(models.TextChoices):
        IN = "in", "from the partner"
        OUT = "out", "to the partner"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="exchanges")
    direction = models.CharField(max_length=3, choices=Direction.choices)
    at = models.DateTimeField(db_index=True)
    module = models.CharField(max_length=32)
    method = models.CharField(max_length=7)
    url = models.CharField(max_length=1000)
    object_key = models.CharField(max_length=120, blank=True)  # of the push that it belongs to
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)  # null: no answer
    status_code = models.PositiveIntegerField(null=True, blank=True)  # OCPI's; null: no envelope
    error = models.CharField(max_length=255, blank=True)  # why there is no answer, or why it counts as none
    request_id = models.CharField(max_length=100, blank=True, db_index=True)
    correlation_id = models.CharField(max_length=100, blank=True, db_index=True)
    remote_address = models.CharField(max_length=64, blank=True)
    request_headers = models.JSONField(default=dict)
    request_body = models.TextField(blank=True)
    response_headers = models.JSONField(default=dict)
    response_body = models.TextField(blank=True)
    warnings = models.JSONField(default=list)  # what was put right or ignored while reading
    duration_ms = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["connection", "-id"], name="exchange_of_connection")]

    def __str__(self) -> str:
        return f"{self.direction} {self.method} {self.module} {self.http_status}"

    @property
    def is_ok(self) -> bool:
        """True when both sides would call it a success."""
        return (
            self.http_status is not None
            and 200 <= self.http_status < 300
            and self.status_code is not None
            and 1000 <= self.status_code < 2000
        )
