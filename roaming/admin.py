"""Roaming in the stock admin: for a look and for rare repairs; secrets are not shown."""

from django.contrib import admin

from roaming.models import Connection, Exchange, InboundToken, Push, RemoteParty


@admin.register(Connection)
class ConnectionAdmin(admin.ModelAdmin):
    list_display = ["name", "status", "version", "is_paused", "suspended_at", "failures", "last_success_at"]
    list_filter = ["status", "is_paused"]
    search_fields = ["name", "parties__key"]
    exclude = ["token_out"]


@admin.register(RemoteParty)
class RemotePartyAdmin(admin.ModelAdmin):
    list_display = ["key", "role", "name", "connection", "is_active"]
    search_fields = ["key", "name"]


@admin.register(InboundToken)
class InboundTokenAdmin(admin.ModelAdmin):
    list_display = ["connection", "purpose", "prefix", "encoding", "created_at", "last_used_at", "expires_at"]
    exclude = ["digest"]


@admin.register(Push)
class PushAdmin(admin.ModelAdmin):
    list_display = ["connection", "module", "object_key", "state", "tries", "next_try_at", "last_error"]
    list_filter = ["state", "module", "connection"]
    search_fields = ["object_key"]


@admin.register(Exchange)
class ExchangeAdmin(admin.ModelAdmin):
    list_display = [
        "at",
        "connection",
        "direction",
        "method",
        "module",
        "http_status",
        "status_code",
        "duration_ms",
    ]
    list_filter = ["direction", "module", "connection"]
    search_fields = ["request_id", "correlation_id", "object_key"]
