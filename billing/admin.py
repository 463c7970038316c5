"""Rare looks at billing's rows; tariffs are written by their service, CDRs by nobody."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from billing.models import BillingJob, Cdr, SessionSnapshot, Tariff, TariffAssignment, TariffVersion


class ReadOnly(admin.ModelAdmin):
    """Shows rows; whoever wants to change one uses the console or the API."""

    show_full_result_count = False  # counting millions of rows answers no question

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Tariff)
class TariffAdmin(ReadOnly):
    list_display = ("uid", "operator", "currency", "type", "is_active", "last_updated")
    search_fields = ("uid",)
    list_select_related = ("operator",)


@admin.register(TariffVersion)
class TariffVersionAdmin(ReadOnly):
    list_display = ("tariff", "number", "valid_from")
    list_select_related = ("tariff",)


@admin.register(TariffAssignment)
class TariffAssignmentAdmin(ReadOnly):
    list_display = ("tariff", "target", "valid_from", "valid_until")
    list_select_related = ("tariff", "connector", "evse", "location", "operator")


@admin.register(BillingJob)
class BillingJobAdmin(ReadOnly):
    list_display = ("session", "state", "tries", "next_try_at", "last_error")
    list_filter = ("state",)
    list_select_related = ("session",)


@admin.register(SessionSnapshot)
class SessionSnapshotAdmin(ReadOnly):
    list_display = ("session", "operator", "tariff_version", "created_at")
    list_select_related = ("session", "operator", "tariff_version__tariff")


@admin.register(Cdr)
class CdrAdmin(ReadOnly):
    list_display = ("uid", "created_at", "station_identity", "party", "total_before_taxes", "currency")
    search_fields = ("=uid", "=session_uid")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("operator")
