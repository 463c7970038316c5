"""Battery swaps: empty batteries in, full ones out (OCPP 2.1 block S)."""

from django.db import models

from cpo.lib.exact import ExactEncoder
from stations.models.locations import ChargingStation
from stations.models.tokens import IdToken


class BatterySwap(models.Model):
    """One swap; `request_id` relates what came in to what went out. A station may reuse it after the swap is over."""

    class State(models.TextChoices):
        REQUESTED = "requested"  # by us, on its way
        ACCEPTED = "accepted"  # the station waits for the driver
        REFUSED = "refused"  # see `reason`
        UNKNOWN = "unknown"  # no answer
        INSERTED = "inserted"  # the driver's batteries are in
        DONE = "done"  # charged ones were taken out
        NOT_TAKEN = "not_taken"  # nobody took the charged ones in time

    OPEN = (State.REQUESTED, State.ACCEPTED, State.UNKNOWN, State.INSERTED)

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="battery_swaps")
    request_id = models.BigIntegerField()
    id_token = models.CharField(max_length=255)
    token = models.ForeignKey(IdToken, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    state = models.CharField(max_length=9, choices=State.choices)
    reason = models.CharField(max_length=255, blank=True)
    batteries_in = models.JSONField(default=list, encoder=ExactEncoder)
    batteries_out = models.JSONField(default=list, encoder=ExactEncoder)
    requested_by = models.CharField(max_length=100, blank=True)  # '' when the driver began it at the station
    created_at = models.DateTimeField()
    in_at = models.DateTimeField(null=True, blank=True)
    out_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["station", "request_id"], name="battery_swap_request"),
            models.Index(fields=["station", "-created_at"], name="battery_swap_newest"),
        ]

    def __str__(self) -> str:
        return f"swap {self.request_id} at {self.station_id}"
