"""Five tables: stations, their connectors, sessions, samples and the journal."""

from django.db import models


class Station(models.Model):
    identity = models.CharField(max_length=48, unique=True)
    vendor = models.CharField(max_length=20, blank=True)
    model = models.CharField(max_length=20, blank=True)
    last_seen = models.DateTimeField(null=True)


class Connector(models.Model):
    station = models.ForeignKey(Station, on_delete=models.CASCADE)
    number = models.IntegerField()
    status = models.CharField(max_length=20)
    error_code = models.CharField(max_length=30)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "number"], name="textbook_connector_once")]


class Session(models.Model):
    station = models.ForeignKey(Station, on_delete=models.CASCADE)
    connector = models.IntegerField()
    id_tag = models.CharField(max_length=20)
    started_at = models.DateTimeField()
    meter_start = models.IntegerField()
    ended_at = models.DateTimeField(null=True)
    meter_stop = models.IntegerField(null=True)
    reason = models.CharField(max_length=20, blank=True)


class Sample(models.Model):
    session = models.ForeignKey(Session, on_delete=models.CASCADE)
    at = models.DateTimeField()
    measurand = models.CharField(max_length=40)
    phase = models.CharField(max_length=8, blank=True)
    unit = models.CharField(max_length=16, blank=True)
    context = models.CharField(max_length=20, blank=True)
    value = models.DecimalField(max_digits=20, decimal_places=4)


class Message(models.Model):
    """The journal."""

    station = models.ForeignKey(Station, on_delete=models.CASCADE)
    message_id = models.CharField(max_length=64)
    action = models.CharField(max_length=40)
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["station", "-at"], name="textbook_newest_messages")]
