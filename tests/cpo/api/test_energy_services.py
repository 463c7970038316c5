"""What OCPP 2.1 adds, over the API: grid, swaps, prices, payments."""

from decimal import Decimal

import pytest

from cpo.lib import clock
from stations.models import Command, SessionCost
from stations.services import payments
from tests import factories
from tests.cpo.api.client import parsed

pytestmark = pytest.mark.django_db
STATION = "stations/ADA-1/"
CONTROL = {
    "type": "FixedVar", "is_default": False, "priority": 2, "settings": {"setpoint": 10, "unit": "PctMaxVar"},
    "starts_at": "2027-01-01T12:00:00Z", "duration_s": 900,
}  # fmt: skip


@pytest.fixture
def ada(db):
    factories.token("BO-1")
    return factories.station("ADA-1", is_online=True, ocpp_version="2.1")


def sent():
    return Command.objects.get()


def test_a_der_control_is_given_and_listed(api, ada):
    answer = api("POST", STATION + "der-controls/", CONTROL)

    assert (answer.status_code, sent().payload["fixedVar"]["duration"]) == (202, 900)
    (listed,) = parsed(api("GET", STATION + "der-controls/"))["results"]
    assert (listed["id"], listed["state"]) == (sent().payload["controlId"], "wanted")


@pytest.mark.parametrize(
    "wrong", [{"type": "Sideways"}, {"is_default": True}, {"settings": {"setpoint": "much"}}]
)
def test_a_control_that_cannot_be_is_refused(api, ada, wrong):
    assert api("POST", STATION + "der-controls/", CONTROL | wrong).status_code == 400
    assert Command.objects.count() == 0


def test_controls_are_asked_for_and_cleared(api, ada):
    api("POST", STATION + "der-controls/read/", {"type": "VoltVar"})
    api("POST", STATION + "der-controls/clear/", {"is_default": True})

    assert list(Command.objects.order_by("pk").values_list("action", flat=True)) == [
        "GetDERControl", "ClearDERControl",
    ]  # fmt: skip


def test_a_grid_signal_is_sent(api, ada):
    assert api("POST", STATION + "grid-signals/", {"signal": -3}).status_code == 202
    assert sent().payload["signal"] == -3


def test_transfers_of_a_running_session_are_permitted(api, ada):
    session = factories.session(ada)
    answer = api("PUT", f"sessions/{session.uid}/energy-transfer/", {"allowed": ["DC_BPT"]})

    assert (answer.status_code, sent().payload["allowedEnergyTransfer"]) == (202, ["DC_BPT"])
    assert parsed(api("GET", f"sessions/{session.uid}/energy-transfer/"))["allowed_state"] == "wanted"


def test_a_swap_is_asked_for_a_token_that_may(api, ada):
    assert api("POST", STATION + "battery-swaps/", {"id_token": "BO-1"}).status_code == 202
    assert api("POST", STATION + "battery-swaps/", {"id_token": "NOBODY"}).status_code == 400


def test_our_tariffs_are_installed_read_and_cleared(api, ada):
    factories.tariff(at=ada.location)
    answers = [api("POST", STATION + path, {}) for path in (
        "station-tariffs/", "station-tariffs/read/", "station-tariffs/clear/",
    )]  # fmt: skip

    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert parsed(api("GET", STATION + "station-tariffs/"))["results"][0]["tariff_id"] == "AC/1"


def test_a_tariff_that_the_station_would_price_otherwise_is_not_sent(api, ada):
    factories.tariff(factories.element("ENERGY", "0.3", step_size=1000), at=ada.location)

    assert api("POST", STATION + "station-tariffs/", {}).status_code == 422


def test_a_session_goes_on_with_another_tariff(api, ada):
    session = factories.session(ada)
    factories.tariff(uid="NIGHT")
    answer = api("PUT", f"sessions/{session.uid}/tariff/", {"tariff": "night"})

    assert (answer.status_code, sent().payload["tariff"]["tariffId"]) == (202, "NIGHT/1")
    assert api("PUT", f"sessions/{session.uid}/tariff/", {"tariff": "?"}).status_code == 400


def test_what_the_station_calculated_is_shown(api, ada):
    session = factories.session(ada)
    SessionCost.objects.create(
        session=session, before_taxes=Decimal("1.5"), currency="EUR", changed_at=clock.now()
    )

    assert parsed(api("GET", f"sessions/{session.uid}/station-cost/"))["currency"] == "EUR"


def test_settlements_are_listed(api, ada):
    payments.settled(ada, "psp-1", status="Settled", amount=Decimal("12.34"), at=clock.now())

    (row,) = parsed(api("GET", "settlements/"))["results"]
    assert (row["station"], row["psp_reference"], row["status"]) == ("ADA-1", "psp-1", "Settled")


def test_a_web_payment_is_announced(api, ada):
    assert api("POST", STATION + "web-payments/", {"connector_id": 1, "timeout_s": 60}).status_code == 202
    assert sent().payload == {"evseId": 1, "timeout": 60}
