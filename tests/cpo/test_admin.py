"""The stock admin: roles are given there, tokens revoked, and the audit record only read."""

import pytest
from django.contrib.auth.models import User

from cpo import api_tokens
from cpo.models import ApiToken, AuditEvent, Membership

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_a_role_that_is_given_is_recorded(root):
    ada = User.objects.create_user("ada")

    root.post("/admin/cpo/membership/add/", {"user": ada.pk, "role": "support"})

    event = AuditEvent.objects.get()
    assert Membership.objects.get().role == "support"
    assert (event.actor, event.object_id, event.facts) == ("user:root", "ada", {"role": "support"})


def test_a_token_is_revoked(root):
    token, _ = api_tokens.issue("ci")

    root.post("/admin/cpo/apitoken/", {"action": "revoke", "_selected_action": [token.pk]})

    assert ApiToken.objects.get().revoked_at is not None
    assert AuditEvent.objects.get().facts == {"revoked": "ci"}


def test_it_never_shows_what_a_token_is_checked_against(root):
    token, _ = api_tokens.issue("ci")

    page = root.get(f"/admin/cpo/apitoken/{token.pk}/change/").content

    assert b"digest" not in page
    assert root.get("/admin/cpo/apitoken/add/").status_code == 403


def test_the_audit_record_is_only_read(root):
    root.post(
        "/admin/cpo/apitoken/", {"action": "revoke", "_selected_action": [api_tokens.issue("ci")[0].pk]}
    )
    event = AuditEvent.objects.get()

    assert root.get("/admin/cpo/auditevent/").status_code == 200
    assert root.post(f"/admin/cpo/auditevent/{event.pk}/delete/").status_code == 403
    assert root.post(f"/admin/cpo/auditevent/{event.pk}/change/", {}).status_code == 403
