"""The configuration tab of a station with a device model: thousands of variables, their kinds, the tree of them."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from cpo.lib import clock
from stations.models import ChargingStation, Variable
from stations.services import configuration
from tests import factories

TAB = "/stations/BEO-1/?tab=configuration"
MANY = 3000


@pytest.fixture
def station(db: None) -> ChargingStation:
    return factories.station("BEO-1", connectors=2, is_online=True, epoch=1, ocpp_version="2.1")


def variable(station: ChargingStation, name: str, **fields: Any) -> Variable:
    given = {
        "component": "Connector",
        "evse_number": 1,
        "connector_number": 1,
        "value": "1",
        "reported_at": clock.now(),
    }
    return Variable(station=station, name=name, **(given | fields))


@pytest.fixture
def many(station: ChargingStation) -> None:
    """Give the station as many variables as the largest that are known have."""
    rows = [
        variable(
            station, f"V{n:04}", component=f"Component{n % 60:02}", evse_number=n % 7, connector_number=n % 2
        )
        for n in range(MANY)
    ]
    Variable.objects.bulk_create(rows)


def page(client: Client, query: str = "") -> str:
    return client.get(TAB + query).content.decode()


def shown(text: str) -> int:
    return text.count('<tr id="variable-')


def test_thousands_of_variables_are_paged_at_the_cost_of_one_page(
    person: Callable[..., Client], many: None, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    ada, query, seen = person("admin"), "", 0
    for _ in range(3):
        with django_assert_max_num_queries(16):
            text = page(ada, query)
        seen += shown(text)
        query = re.search(r'href="\?tab=configuration(&amp;after=[^"]+)"', text)[1].replace("&amp;", "&")  # type: ignore[index]

    assert seen == 300


def test_every_variable_is_on_one_page_and_only_on_one(station: ChargingStation, ada: Client) -> None:
    Variable.objects.bulk_create(
        variable(station, f"V{n}", evse_number=n % 3, instance=f"i{n % 7}") for n in range(250)
    )

    names: list[str] = []
    query: str | None = ""
    while query is not None:
        text = page(ada, query)
        names += re.findall(r'<tr id="variable-(\d+)"', text)
        more = re.search(r'href="\?tab=configuration(&amp;after=[^"]+)" rel="next"', text)
        query = more[1].replace("&amp;", "&") if more else None

    assert (len(names), len(set(names))) == (250, 250)


def test_the_tree_leads_to_the_variables_of_a_component_and_of_a_place(ada: Client, many: None) -> None:
    text = page(ada, "&component=Component07")

    assert "60 components" in text
    assert shown(text) == MANY // 60
    (place, *_) = re.findall(
        r'href="\?tab=configuration(&amp;component=Component07&amp;evse_number=[^"]+)"', text
    )
    assert 0 < shown(page(ada, place.replace("&amp;", "&"))) <= MANY // 60


@pytest.mark.parametrize(
    ("query", "found"),
    [("&q=temper", 1), ("&q=connector+celsius", 0), ("&q=connector+42", 1), ("&show=wanted", 1), ("&show=drift", 1),
     ("&show=unknown", 1), ("&show=writable", 1), ("&show=nonsense", 3), ("&after=nonsense", 3), ("&evse_number=x", 3)],
)  # fmt: skip
def test_the_table_is_narrowed_down(ada: Client, station: ChargingStation, query: str, found: int) -> None:
    variable(station, "Temperature", value="42", unit="Celsius", is_readonly=True).save()
    variable(station, "Available", value="true", desired="false", is_drifting=True).save()
    variable(station, "Blink", is_supported=False, value=None).save()

    assert shown(page(ada, query)) == found


def test_flags_and_kinds_are_said(ada: Client, station: ChargingStation) -> None:
    limits = {
        "min_limit": Decimal("0"),
        "max_limit": Decimal("90.5"),
        "unit": "Celsius",
        "data_type": "decimal",
    }
    flags = {"is_persistent": True, "is_constant": True, "is_monitorable": True, "is_writeonly": True}
    variable(station, "Temperature", **limits, **flags).save()

    text = page(ada)

    assert "decimal, 0 to 90.5, Celsius" in text
    assert [
        word for word in ("persistent", "constant", "can be monitored", "write-only") if word not in text
    ] == []


@pytest.mark.parametrize(
    ("facts", "drawn"),
    [
        (
            {"data_type": "OptionList", "values_list": "NTP,GPS"},
            ['<option value="GPS">', '<option value="1" selected>'],
        ),
        (
            {"data_type": "boolean", "value": "true"},
            ['<option value="true" selected>', '<option value="false">'],
        ),
        (
            {"data_type": "MemberList", "values_list": "L1,L2"},
            ["MemberList, of: L1, L2", 'type="text" name="value"'],
        ),
        ({"data_type": "integer", "max_limit": Decimal(60), "unit": "s"}, ["integer, at most 60, s"]),
    ],
)
def test_the_editor_offers_what_the_variable_can_be(
    ada: Client, station: ChargingStation, facts: dict[str, Any], drawn: list[str]
) -> None:
    variable(station, "Source", **facts).save()

    text = page(ada, "&key=Connector%7B1%2C1%7D%2FSource")

    assert [piece for piece in drawn if piece not in text] == []


def test_keys_of_the_version_before_stand_apart(ada: Client, station: ChargingStation) -> None:
    configuration.store(
        station.pk, keys=[{"key": "Blink", "value": "1", "readonly": False}], unknown=[], now=clock.now()
    )
    variable(station, "Temperature").save()

    assert "Keys of OCPP 1.6" in page(ada)
    assert shown(page(ada, "&component=")) == 1
