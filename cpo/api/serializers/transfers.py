"""What requests about files have in common, whichever way the file goes."""

from typing import Any

from rest_framework import serializers

from cpo.api.serializers.fields import Instant

SECONDS_A_DAY = 86_400


class TransferStatusSerializer(serializers.Serializer[Any]):
    """One word that was said about a transfer, or that happened to it."""

    status = serializers.CharField()
    remark = serializers.CharField(help_text="Why it changes nothing, or what was added.")
    at = Instant()


class QueueSerializer(serializers.Serializer[Any]):
    """Whether it may wait for an offline station."""

    queue = serializers.BooleanField(
        default=False, help_text="Keep it for a station that is offline (else 409)."
    )


class TransferRequestSerializer(QueueSerializer):
    """How often a station shall try again, and whether it may wait for it."""

    retries = serializers.IntegerField(min_value=0, max_value=20, required=False)
    retry_interval_s = serializers.IntegerField(min_value=0, max_value=SECONDS_A_DAY, required=False)
