"""Energy in both directions: what a session may do, does and has fed back (OCPP 2.1 block Q)."""

from django.db import models

from stations.models.commands import Command
from stations.models.locations import ChargingStation
from stations.models.sessions import ChargingSession
from stations.models.tokens import IdToken


class BidirectionalSession(models.Model):
    """What a session has beyond charging; only sessions of which a station tells it have this row.

    `allowed` is what the driver and the grid operator permit (EnergyTransferModeEnumType), `allowed_state` what the
    station said to it. `exported_wh` is what the vehicle fed back, by the export register: never negative.
    """

    class State(models.TextChoices):
        WANTED = "wanted"
        ACCEPTED = "accepted"
        REFUSED = "refused"
        UNKNOWN = "unknown"

    session = models.OneToOneField(ChargingSession, on_delete=models.CASCADE, related_name="bidirectional")
    operation_mode = models.CharField(max_length=20, blank=True)  # OperationModeEnumType; '' when never told
    mode_at = models.DateTimeField(null=True, blank=True)
    exported_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    allowed = models.JSONField(default=list)
    allowed_state = models.CharField(max_length=8, choices=State.choices, blank=True)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"both directions of {self.session_id}"


class GridSignal(models.Model):
    """One signal for automatic frequency restoration that a station was sent (Q08); its meaning is agreed apart."""

    class State(models.TextChoices):
        WANTED = "wanted"
        ACCEPTED = "accepted"
        REFUSED = "refused"
        UNKNOWN = "unknown"

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="grid_signals")
    signal = models.IntegerField()
    at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WANTED)
    reason = models.CharField(max_length=64, blank=True)
    command = models.ForeignKey(Command, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    requested_by = models.CharField(max_length=100, blank=True)

    class Meta:
        indexes = [models.Index(fields=["station", "-at"], name="grid_signal_newest")]

    def __str__(self) -> str:
        return f"{self.signal} at {self.at:%H:%M:%S}"


class TransferPermission(models.Model):
    """Which energy transfers a driver's contract allows (Q01); a token without this row: nobody has decided."""

    token = models.OneToOneField(IdToken, on_delete=models.CASCADE, related_name="energy_transfers")
    modes = models.JSONField(default=list)  # EnergyTransferModeEnumType
    set_by = models.CharField(max_length=100, blank=True)
    set_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"transfers of {self.token_id}"
