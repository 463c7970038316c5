"""People, tokens and the audit record in the stock admin: roles are given here, the rest is for a look."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from cpo import api_tokens, audit
from cpo.access import Principal
from cpo.models import ApiToken, AuditEvent, Membership


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ["user", "role"]
    list_filter = ["role"]
    search_fields = ["user__username"]
    autocomplete_fields = ["user"]
    filter_horizontal = ["operators", "locations"]

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        """Save it and record who gave the role."""
        super().save_model(request, obj, form, change)
        _record(request, "membership", obj.user.get_username(), role=obj.role)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        """Delete it and record who took the role."""
        _record(request, "membership", obj.user.get_username(), role="")
        super().delete_model(request, obj)


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):
    list_display = ["name", "prefix", "role", "created_at", "last_used_at", "expires_at", "revoked_at"]
    list_filter = ["role"]
    search_fields = ["name", "prefix"]
    exclude = ["digest"]
    readonly_fields = ["prefix", "created_at", "last_used_at", "revoked_at"]
    filter_horizontal = ["operators", "locations"]
    actions = ["revoke"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: a token's text is shown by `manage.py create_api_token` alone."""
        return False

    @admin.action(description="Revoke the selected tokens")
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiToken]) -> None:
        """End the tokens at once."""
        for token in rows.filter(revoked_at=None):
            api_tokens.revoke(token)
            _record(request, "api_token", token.prefix, revoked=token.name)


@admin.register(AuditEvent)
class AuditEventAdmin(admin.ModelAdmin):
    list_display = ["at", "channel", "actor", "action", "object_type", "object_id", "outcome", "address"]
    list_filter = ["channel", "action"]
    search_fields = ["actor", "object_id"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: events are written by what happens."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the record is append-only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the record is append-only."""
        return False


def _record(request: HttpRequest, object_type: str, object_id: str, **facts: str) -> None:
    actor = Principal.of_user(request.user)
    audit.record(
        actor, "user.admin", object_type=object_type, object_id=object_id, facts=facts, request=request
    )
