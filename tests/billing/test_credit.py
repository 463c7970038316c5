"""A credit CDR takes a CDR back: the same, with only the total cost negated (OCPI 2.3.0 mod_cdrs, credit CDRs)."""

import pytest

from billing.errors import NotCreditable
from billing.events import CdrIssued
from billing.models import Cdr
from billing.services import cdrs
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def cdr() -> Cdr:
    session = factories.session(ended=True, party="DE*ABC")
    factories.tariff(at=session.station.location)
    return cdrs.issue(session)


def test_only_the_total_cost_is_negated(cdr):
    back = cdrs.credit(cdr, reason="wrong meter", by="user:ada")

    assert back.total_before_taxes == -cdr.total_before_taxes
    assert back.total_after_taxes == -cdr.total_after_taxes
    assert back.totals["total_cost"]["before_taxes"] == f"-{cdr.totals['total_cost']['before_taxes']}"
    assert back.totals["total_energy_cost"] == cdr.totals["total_energy_cost"]
    assert (back.energy_wh, back.seconds) == (cdr.energy_wh, cdr.seconds)


def test_taxes_of_the_total_are_negated_too(cdr):
    back = cdrs.credit(cdr, reason="wrong meter", by="user:ada")

    assert back.totals["total_cost"]["taxes"] == [
        {**tax, "amount": f"-{tax['amount']}"} for tax in cdr.totals["total_cost"]["taxes"]
    ]


def test_it_refers_to_the_cdr_and_says_why(cdr):
    back = cdrs.credit(cdr, reason="wrong meter", by="user:ada")

    assert (back.uid, back.is_credit, back.credit_reference) == (f"{cdr.uid}-C", True, cdr)
    assert (back.session, back.session_uid, back.party) == (None, cdr.session_uid, "DE*ABC")
    assert (back.remark, back.issued_by) == ("wrong meter", "user:ada")


def test_a_cdr_is_credited_once(cdr):
    cdrs.credit(cdr, reason="wrong meter", by="user:ada")

    with pytest.raises(NotCreditable):
        cdrs.credit(cdr, reason="again", by="user:ada")


def test_a_credit_is_not_credited(cdr):
    back = cdrs.credit(cdr, reason="wrong meter", by="user:ada")

    with pytest.raises(NotCreditable):
        cdrs.credit(back, reason="again", by="user:ada")


def test_partners_hear_of_it(cdr, django_capture_on_commit_callbacks, published):
    with django_capture_on_commit_callbacks(execute=True):
        back = cdrs.credit(cdr, reason="wrong meter", by="user:ada")

    assert published == [CdrIssued(back.pk, None)]


def test_a_credit_of_nothing_is_nothing():
    cdr = cdrs.issue(factories.session(ended=True))

    back = cdrs.credit(cdr, reason="test", by="user:ada")

    assert back.totals["total_cost"] == {"before_taxes": "0", "taxes": []}
