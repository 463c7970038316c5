"""Charge detail records: what a session cost, sealed."""

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import orjson
from django.db import connection, models
from django.db.models import Q

from stations.models import ChargingSession, Location, Operator
from stations.models.locations import new_uid


class ImmutableRow(Exception):
    """A CDR cannot be changed or deleted; a correction is a credit CDR."""


class CdrQuerySet(models.QuerySet["Cdr"]):
    def newest_of(self, session_ids: Iterable[int]) -> dict[int, "Cdr"]:
        """Return by session id the last CDR that was issued for it, whether it was credited since or not."""
        rows = self.filter(session__in=list(session_ids)).select_related("credit").order_by("pk")
        return {cdr.session_id: cdr for cdr in rows if cdr.session_id is not None}

    def insert(self, rows: Sequence["Cdr"]) -> dict[int, int]:
        """Insert the first CDRs of sessions in one statement and return their ids by session id.

        A session that has a CDR already keeps it, and is not in the answer. One JSON parameter carries all rows:
        arrays of JSON texts cost the driver ten times as much.
        """
        fields = [field for field in Cdr._meta.concrete_fields if not field.primary_key]
        document = [{field.column: getattr(row, field.attname) for field in fields} for row in rows]
        columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
        with connection.cursor() as cursor:
            cursor.execute(
                f"insert into billing_cdr ({columns}) "  # noqa: S608 - column names of the model
                f"select {columns} from jsonb_populate_recordset(null::billing_cdr, %s::jsonb) "
                "on conflict (session_id) where follows_id is null do nothing returning session_id, id",
                [orjson.dumps(document, default=str).decode()],
            )
            return dict(cursor.fetchall())


class Cdr(models.Model):
    """A CDR with everything it needs, as it was at session start (OCPI 2.3.0 mod_cdrs#CDR).

    Energies in Wh, durations in whole seconds, amounts in `currency` with the four decimals of OCPI; JSON in
    the shapes of OCPI 2.3.0, decimals as strings. Written once: `save()` of an existing row raises and a trigger
    refuses UPDATE and DELETE. `session` is null for a credit CDR, which keeps `session_uid`; only its total
    cost is negated.

    A session has at most one CDR that stands: the first one follows nothing, each later one `follows` the credit of
    the one before, and a CDR is credited once. The database holds all three.
    """

    uid = models.CharField(max_length=39, default=new_uid)  # OCPI CDR.id; a credit CDR's ends in -C
    session = models.ForeignKey(
        ChargingSession, on_delete=models.PROTECT, null=True, blank=True, related_name="cdrs"
    )
    session_uid = models.CharField(max_length=36)
    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="cdrs")
    site = models.ForeignKey(Location, on_delete=models.PROTECT, null=True, blank=True, related_name="cdrs")
    station_identity = models.CharField(max_length=48)
    party = models.CharField(max_length=6, blank=True)  # 'NL*ABC': the partner whose driver charged; '': ours
    currency = models.CharField(max_length=3)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    time_zone = models.CharField(max_length=255)
    energy_wh = models.DecimalField(max_digits=20, decimal_places=4)
    meter_start_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    meter_stop_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    seconds = models.PositiveBigIntegerField()  # the whole session, parking included
    parking_seconds = models.PositiveBigIntegerField(default=0)
    total_before_taxes = models.DecimalField(max_digits=20, decimal_places=4)
    total_after_taxes = models.DecimalField(
        max_digits=20, decimal_places=4, null=True, blank=True
    )  # null: unknown
    totals = models.JSONField()  # total_cost, total_energy_cost, … as OCPI 2.3.0 Price
    location = models.JSONField(default=dict)
    evse = models.JSONField(default=dict)
    connector = models.JSONField(default=dict)
    token = models.JSONField(default=dict)
    tariff = models.JSONField(null=True, blank=True)  # null: none was assigned
    tariff_version = models.PositiveIntegerField(null=True, blank=True)  # its number
    charging_periods = models.JSONField()
    explanation = models.JSONField(default=list)
    auth_method = models.CharField(max_length=16)
    authorization_reference = models.CharField(max_length=36, blank=True)
    is_credit = models.BooleanField(default=False)
    credit_reference = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="credit"
    )
    follows = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="replacement"
    )  # the credit CDR after which it was written anew
    remark = models.CharField(max_length=255, blank=True)
    issued_by = models.CharField(max_length=100, blank=True)  # who released or credited it
    created_at = models.DateTimeField()  # = OCPI last_updated

    objects = CdrQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operator", "uid"], name="cdr_uid"),
            models.CheckConstraint(
                name="cdr_credit",
                condition=Q(is_credit=False, credit_reference=None)
                | Q(is_credit=True, session=None, follows=None),
            ),
            models.UniqueConstraint(fields=["session"], condition=Q(follows=None), name="cdr_first"),
        ]
        indexes = [
            models.Index(fields=["party", "id"], name="cdr_party"),
            models.Index(fields=["created_at", "id"], name="cdr_created"),
            models.Index(fields=["ended_at", "id"], name="cdr_ended"),
        ]

    def __str__(self) -> str:
        return self.uid

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row; raises ImmutableRow for one that exists."""
        if not self._state.adding:
            raise ImmutableRow(self.uid)
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise ImmutableRow."""
        raise ImmutableRow(self.uid)
