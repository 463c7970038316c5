"""Part 6, chapter 3: tariff and cost (block I), and what its drivers are told besides (I01 to I06, I08)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Tariff, TariffAssignment
from billing.services import tariffs
from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, SessionCost
from stations.services import authorization, device_model, quirks, station_costs, variable_keys
from stations.services.device_model import Told
from stations.services.errors import InvalidPayload, NotOpen
from tests import factories
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, Station, station
from tests.stories.v2.station import EVSE, TOKEN, event, visit

pytestmark = pytest.mark.usefixtures("priced")
BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
PRICES = "Energy 0.3025 EUR/kWh (incl. VAT)"


@pytest.fixture
def priced(ada: ChargingStation) -> None:
    """Energy costs 0.25 EUR a kWh and 21 % VAT at Ada's station, which says that it shows tariff and cost."""
    factories.tariff(at=ada.location)
    keys = [variable_keys.parse(f"TariffCostCtrlr/Enabled[{name}]") for name in ("Tariff", "Cost")]
    device_model.store(ada.pk, told=[Told(key, "true") for key in keys], at=clock.now())


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


async def authorized(there: Station, token: Payload = TOKEN) -> Payload:
    return await there.call("Authorize", {"idToken": token})


@BOTH
async def test_tc_i_01_csms_the_running_cost_is_told_while_it_charges(server: Server, version: str) -> None:
    shown = event("Updated", 1, triggerReason="Authorized", idToken=TOKEN)
    parked = event("Started", 0, triggerReason="CablePluggedIn", evse=EVSE, register_wh=1000)
    async with station(server, version, CostUpdated={}) as there:
        assert (await authorized(there))["idTokenInfo"]["status"] == "Accepted"
        _, answer = await there.tell(parked, shown)
        assert answer["idTokenInfo"]["status"] == "Accepted"
        for number, register in ((1, 2000), (2, 4000)):
            await there.tell(event("Updated", number + 1, register_wh=register))
            await eventually(lambda wh=register - 1000: ChargingSession.objects.filter(energy_wh=wh).exists())
            await rows(lambda: SessionCost.objects.update(told_at=None))  # the interval is over
            assert await rows(station_costs.sweep) == 1
            await eventually(lambda wanted=number: len(there.requests("CostUpdated")) == wanted)

    assert there.requests("CostUpdated") == [
        {"transactionId": "tx-1", "totalCost": Decimal("0.3025")},
        {"transactionId": "tx-1", "totalCost": Decimal("0.9075")},
    ]


@BOTH
async def test_tc_i_02_csms_the_total_cost_is_told_at_the_end(server: Server, version: str) -> None:
    *before, ended = visit()
    before.append(
        event("Updated", 3, triggerReason="ChargingStateChanged", info={"chargingState": "EVConnected"})
    )
    info = {"transactionId": "tx-1", "chargingState": "Idle", "stoppedReason": "EVDisconnected"}
    async with station(server, version) as there:
        await there.tell(*before)
        await there.status("Available")
        [answer] = await there.tell(
            ended | {"seqNo": 4, "triggerReason": "EVCommunicationLost", "transactionInfo": info}
        )

    assert answer["totalCost"] == Decimal("0.9075")


async def test_i03_fr_04_what_is_free_costs_nothing(server: Server) -> None:
    await rows(lambda: TariffAssignment.objects.all().delete())
    await do(lambda ada: factories.tariff(factories.element("ENERGY", "0"), at=ada.location, uid="FREE"))
    async with station(server) as there:
        answers = await there.tell(*visit())

    assert answers[-1]["totalCost"] == 0


async def test_an_operator_decides_against_the_station(server: Server) -> None:
    await do(lambda ada: quirks.override(ada, flag=station_costs.SHOWS_COST, value=False, by="Ada"))
    await do(lambda ada: quirks.override(ada, flag=station_costs.SHOWS_TARIFF, value=False, by="Ada"))
    async with station(server) as there:
        info = (await authorized(there))["idTokenInfo"]
        answers = await there.tell(*visit())

    assert ("personalMessage" in info, "totalCost" in answers[-1]) == (False, False)


async def test_a_station_that_says_nothing_of_prices_is_told_none(server: Server) -> None:
    await rows(lambda: ChargingStation.objects.get().variables.all().delete())
    async with station(server, "2.1") as there:
        answer = await authorized(there)

    assert (set(answer), "personalMessage" in answer["idTokenInfo"]) == ({"idTokenInfo"}, False)


# --- what it will cost (I01, I08)


@BOTH
async def test_i01_the_tariff_is_shown_before_it_charges(server: Server, version: str) -> None:
    async with station(server, version) as there:
        answer = await authorized(there)

    assert answer["idTokenInfo"]["personalMessage"] == {"format": "UTF8", "language": "en", "content": PRICES}
    assert "tariff" not in answer  # it is what every driver pays here: the default tariff says it


async def test_i01_the_driver_reads_it_in_a_language_of_hers(server: Server) -> None:
    await rows(lambda: authorization.save_token("BO-1", language="nl"))
    words = [{"language": "de", "text": "Strom"}, {"language": "nl", "text": "Stroom"}]
    await rows(lambda: TariffAssignment.objects.all().delete())
    await do(lambda ada: factories.tariff(at=ada.location, uid="WORDS", tariff_alt_text=words))
    async with station(server) as there:
        info = (await authorized(there))["idTokenInfo"]

    assert info["personalMessage"] == {"format": "UTF8", "language": "nl", "content": "Stroom"}


async def test_i01_who_may_not_charge_is_shown_no_tariff(server: Server) -> None:
    async with station(server) as there:
        info = (await authorized(there, TOKEN | {"idToken": "STRANGER"}))["idTokenInfo"]

    assert "personalMessage" not in info


async def test_i01_where_nothing_is_assigned_no_tariff_is_shown(server: Server) -> None:
    await rows(lambda: TariffAssignment.objects.all().delete())
    async with station(server) as there:
        assert "personalMessage" not in (await authorized(there))["idTokenInfo"]


async def test_i01_connectors_with_different_tariffs_are_each_named(server: Server) -> None:
    def second(ada: ChargingStation) -> Tariff:
        dear = factories.tariff(factories.element("ENERGY", "0.50"), uid="DC")
        tariffs.assign(dear, connector=ada.evses.get(number=2).connectors.get())
        return dear

    await do(second)
    async with station(server) as there:
        text = (await authorized(there))["idTokenInfo"]["personalMessage"]["content"]

    assert text == f"1: {PRICES}; 2: Energy 0.605 EUR/kWh (incl. VAT)"


async def test_i08_fr_01_a_driver_with_a_tariff_of_her_own_is_given_it_to_calculate(server: Server) -> None:
    own = factories.element("ENERGY", "0.40")
    await do(lambda ada: factories.tariff(own, at=ada.location, uid="APP", type="AD_HOC_PAYMENT"))
    await rows(lambda: authorization.save_token("APP-1", type="AD_HOC_USER"))
    async with station(server, "2.1") as there:
        answer = await authorized(there, TOKEN | {"idToken": "APP-1"})
        other = await authorized(there)

    assert answer["tariff"]["energy"]["prices"] == [{"priceKwh": Decimal("0.40")}]
    assert ("validFrom" in answer["tariff"], "tariff" in other) == (False, False)  # I08.FR.09


async def test_i08_fr_34_a_station_of_2_0_1_calculates_nothing(server: Server) -> None:
    own = factories.element("ENERGY", "0.40")
    await do(lambda ada: factories.tariff(own, at=ada.location, uid="APP", type="AD_HOC_PAYMENT"))
    await rows(lambda: authorization.save_token("APP-1", type="AD_HOC_USER"))
    async with station(server) as there:
        answer = await authorized(there, TOKEN | {"idToken": "APP-1"})

    assert "tariff" not in answer
    assert answer["idTokenInfo"]["personalMessage"]["content"].startswith("Energy 0.484 EUR/kWh")


async def test_i12_a_session_that_the_station_prices_is_not_told_our_running_cost(server: Server) -> None:
    begin = visit()[0]
    begin["transactionInfo"] |= {"tariffId": "AC/1"}
    async with station(server, "2.1") as there:
        await there.tell(begin, event("Updated", 1, register_wh=2000))

        assert await rows(station_costs.sweep) == 0


# --- while it charges (I06)


async def told(there: Station, session: ChargingSession, **options: Any) -> list[Payload]:
    """Tell the driver something, and send two events."""
    await rows(lambda: station_costs.tell_driver(session, "Now 0.32 EUR/kWh", **options))
    return [await first_news(there), *(await there.tell(event("Updated", 40, register_wh=2600)))]


async def first_news(there: Station) -> Payload:
    """Send events until one answer says more than nothing: the wake-up of the socket takes a moment."""
    for number in range(1, 40):
        [answer] = await there.tell(event("Updated", number, minute=1, register_wh=1000 + number))
        if answer:
            return answer
    raise AssertionError("the driver was never told")


@BOTH
async def test_i06_fr_02_news_reach_the_driver_with_the_next_event(server: Server, version: str) -> None:
    async with station(server, version) as there:
        await there.tell(visit()[0])
        session = await rows(lambda: ChargingSession.objects.select_related("station").get())
        first, second = await told(there, session, language="en")

    content = {"format": "UTF8", "language": "en", "content": "Now 0.32 EUR/kWh"}
    assert (first, second) == ({"updatedPersonalMessage": content}, {})


def test_i06_a_session_that_is_over_has_no_driver_to_tell(ada: ChargingStation) -> None:
    session = factories.session(ada, ended=True)
    with pytest.raises(NotOpen):
        station_costs.tell_driver(session, "News")


@pytest.mark.parametrize("text", ["", " ", "x" * 513])
def test_i06_a_text_that_no_station_could_show_is_refused(ada: ChargingStation, text: str) -> None:
    session = factories.session(ada)
    with pytest.raises(InvalidPayload):
        station_costs.tell_driver(session, text)


# --- when the station is offline (I04, I05)


def accept_all(payload: Payload) -> Payload:
    """Accept every change of a SetVariables."""
    return {
        "setVariableResult": [
            {"attributeStatus": "Accepted", "component": one["component"], "variable": one["variable"]}
            for one in payload["setVariableData"]
        ]
    }


async def fallback(server: Server, version: str, name: str) -> None:
    """Set a text that the station shows where it cannot ask us: it is a variable."""
    change = (variable_keys.parse(f"TariffCostCtrlr/{name}"), "See the website")
    async with station(server, version, SetVariables=accept_all) as there:
        await do(lambda ada: device_model.change(ada, [change]))
        await eventually(lambda: there.requests("SetVariables"))

    [asked] = there.requests("SetVariables")
    place = {"component": {"name": "TariffCostCtrlr"}, "variable": {"name": name}}
    assert asked == {"setVariableData": [place | {"attributeValue": "See the website"}]}


@BOTH
async def test_i04_a_fallback_for_the_tariff_is_a_variable(server: Server, version: str) -> None:
    await fallback(server, version, "TariffFallbackMessage")


@BOTH
async def test_i05_a_fallback_for_the_total_cost_is_a_variable(server: Server, version: str) -> None:
    await fallback(server, version, "TotalCostFallbackMessage")


# --- priority of a driver (C01, K)


@BOTH
async def test_c01_the_priority_of_a_driver_is_told_with_her_token(server: Server, version: str) -> None:
    await rows(lambda: authorization.save_token("BO-1", charging_priority=5))
    async with station(server, version) as there:
        info = (await authorized(there))["idTokenInfo"]
        [started] = await there.tell(visit()[0])

    assert (info["chargingPriority"], started["idTokenInfo"]["chargingPriority"]) == (5, 5)


def test_a_priority_that_is_taken_back_restricts_nothing(ada: ChargingStation) -> None:
    token, _ = authorization.save_token("BO-1", charging_priority=5)
    token.refresh_from_db()
    assert token.is_restricted
    authorization.save_token("BO-1", charging_priority=None)
    token.refresh_from_db()

    assert not token.is_restricted
