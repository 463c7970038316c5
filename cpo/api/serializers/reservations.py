"""Reservations."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from cpo.api.serializers.fields import Instant
from stations.models import Reservation


class ReservationSerializer(serializers.ModelSerializer[Reservation]):
    """An EVSE held for one driver, with what became of it."""

    id = serializers.CharField(source="uid")
    station = serializers.CharField(source="station.identity", help_text="Identity of the station.")
    number = serializers.IntegerField(help_text="Its id on the wire (reservationId).")
    connector_id = serializers.IntegerField(
        source="evse.number", default=None, allow_null=True, help_text="Number of the EVSE; null: any."
    )
    reason = serializers.CharField(help_text="Why it was refused or removed, in the station's word or ours.")
    session = serializers.CharField(
        source="session.uid", default=None, allow_null=True, help_text="Id of the session that used it."
    )

    class Meta:
        model = Reservation
        fields = (
            "id", "station", "number", "connector_id", "connector_type", "id_token", "id_token_type", "group_id",
            "expires_at", "status", "reason", "session", "party", "external_id", "requested_by", "created_at",
            "reserved_at", "ended_at", "last_updated",
        )  # fmt: skip


class ReservationWriteSerializer(serializers.Serializer[Any]):
    """A reservation to make, or to put in the place of an open one."""

    station = serializers.CharField(max_length=48, help_text="Identity of the station.")
    connector_id = serializers.IntegerField(
        min_value=0, max_value=10_000, default=0, help_text="Number of the EVSE; 0: any."
    )
    id_token = serializers.CharField(max_length=255)
    group_id = serializers.CharField(
        max_length=36,
        required=False,
        allow_blank=True,
        help_text="Whose tokens may use it too; left out: the group of the token, if we know it.",
    )
    expires_at = Instant()
    replaces = serializers.CharField(
        max_length=36, required=False, help_text="Id of the open reservation whose place it takes."
    )
    queue = serializers.BooleanField(
        default=False, help_text="Keep it for a station that is offline (else 409)."
    )

    def validate_expires_at(self, moment: datetime) -> datetime:
        """Return the moment if the clock can count to it."""
        if moment.year > 2999:
            raise serializers.ValidationError("Too far away.")
        return moment


class CancelSerializer(serializers.Serializer[Any]):
    """How to cancel."""

    queue = serializers.BooleanField(
        default=False, help_text="Let it wait for a station that is offline (else 409)."
    )
