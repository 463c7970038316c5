"""The admin shows billing's rows and changes none."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from billing.services import cdrs
from tests import factories

pytestmark = pytest.mark.django_db
MODELS = ["tariff", "tariffversion", "tariffassignment", "billingjob", "sessionsnapshot", "cdr"]


@pytest.fixture
def billed():
    session, held = (
        factories.session(ended=True),
        factories.session(ended=True, authorization_status="Invalid"),
    )
    factories.tariff(at=session.station.location)
    cdrs.bill([session.pk, held.pk])
    return session


@pytest.mark.parametrize("model", MODELS)
def test_it_lists_rows(admin_client, billed, model):
    assert admin_client.get(reverse(f"admin:billing_{model}_changelist")).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_nobody_may_change_rows_there(rf, admin_user, model):
    request = rf.get("/")
    request.user = admin_user

    page = admin.site.get_model_admin(apps.get_model("billing", model))

    assert page.has_view_permission(request)
    assert not any((page.has_add_permission(request), page.has_change_permission(request)))
    assert not page.has_delete_permission(request)


def test_a_cdr_can_be_looked_at(admin_client, billed):
    assert (
        admin_client.get(reverse("admin:billing_cdr_change", args=[billed.cdrs.get().pk])).status_code == 200
    )
