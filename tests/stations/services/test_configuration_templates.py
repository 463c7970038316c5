"""Templates of desired values: which stations follow them, what wins, what drifts, what is corrected."""

from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, Command, ConfigurationTemplate, Variable
from stations.services import commands, configuration, configuration_templates, provisioning
from stations.services.configuration_templates import Value
from stations.services.errors import InvalidPayload, SecretKey
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def station() -> ChargingStation:
    return factories.station("ADA-1", is_online=True, epoch=1, ocpp_version="1.6", vendor="Volt", model="V2")


def template(
    name: str = "all", *, keys: dict[str, str] | None = None, **fields: Any
) -> ConfigurationTemplate:
    """Save a template and let its stations follow, as the worker does."""
    given = keys if keys is not None else {"MeterValueSampleInterval": "60"}
    saved = configuration_templates.save(
        fields.pop("template", None), name=name, values=[Value(k, v) for k, v in given.items()], **fields
    )
    for waiting in configuration_templates.unfitted():
        assert configuration_templates.fit_template(waiting)
    return saved


def told(station: ChargingStation, **keys: str) -> None:
    entries = [{"key": name, "value": value, "readonly": False} for name, value in keys.items()]
    configuration.store(station.pk, keys=entries, unknown=[], now=clock.now())


def wished(station: ChargingStation) -> dict[str, str]:
    rows = Variable.objects.filter(station=station, desired__isnull=False)
    return dict(rows.values_list("name", "desired"))


def test_stations_of_the_model_follow_and_others_do_not(station: ChargingStation) -> None:
    other = factories.station("BOB-1", vendor="Volt", model="V3")

    template(vendor="VOLT", model="v2")

    assert wished(station) == {"MeterValueSampleInterval": "60"}
    assert wished(other) == {}


def test_the_more_particular_template_wins(station: ChargingStation) -> None:
    template("site", keys={"A": "site"}, location=station.location)
    template("model", keys={"A": "model", "B": "model"}, model="V2")
    template("all", keys={"A": "all", "B": "all", "C": "all"})

    assert wished(station) == {"A": "site", "B": "model", "C": "all"}


def test_a_wish_for_one_station_stands_above_the_templates(station: ChargingStation) -> None:
    configuration.desire(station, key="A", value="mine")

    template(keys={"a": "all"})

    assert wished(station) == {"A": "mine"}


def test_what_is_reported_otherwise_drifts(station: ChargingStation) -> None:
    told(station, A="1")
    template(keys={"A": "2"})

    assert Variable.objects.get(station=station, name="A").is_drifting
    told(station, A="2")
    assert not Variable.objects.get(station=station, name="A").is_drifting


def test_a_template_that_goes_lets_a_less_particular_one_step_in(station: ChargingStation) -> None:
    template("all", keys={"A": "all"})
    gone = template("model", keys={"A": "model", "B": "model"}, model="V2")

    configuration_templates.delete(gone)
    for waiting in configuration_templates.unfitted():
        configuration_templates.fit_template(waiting)

    assert wished(station) == {"A": "all"}


def test_a_value_that_leaves_a_template_is_wished_no_more(station: ChargingStation) -> None:
    saved = template(keys={"A": "1", "B": "1"})

    template(template=saved, keys={"B": "1"})

    assert wished(station) == {"B": "1"}


def test_a_template_that_moves_leaves_its_former_stations(station: ChargingStation) -> None:
    saved = template(keys={"A": "1"}, model="V2")

    template(template=saved, keys={"A": "1"}, model="V3")

    assert wished(station) == {}


def test_a_station_that_tells_its_model_at_boot_follows(station: ChargingStation) -> None:
    template(model="V9")

    provisioning.boot(station.pk, facts={"model": "V9"}, now=clock.now())

    assert wished(station) == {"MeterValueSampleInterval": "60"}


def test_a_station_that_moves_to_another_site_follows_that_site(station: ChargingStation) -> None:
    site = factories.location(name="Harbour")
    template(location=site)

    provisioning.upsert_station(station.identity, location=site)

    assert wished(station) == {"MeterValueSampleInterval": "60"}


def test_bringing_in_line_sends_what_drifts_and_nothing_else(station: ChargingStation) -> None:
    told(station, A="1", B="2", ServerUrl="ws://old")
    template(keys={"A": "5", "B": "2", "ServerUrl": "ws://new"})

    sent = configuration_templates.bring_in_line(station, requested_by="ada")

    assert [c.payload for c in sent] == [{"key": "A", "value": "5"}]
    assert configuration_templates.bring_in_line(station, requested_by="ada") == []


def test_an_enforced_template_corrects_once_a_day(station: ChargingStation) -> None:
    told(station, A="1")
    template(keys={"A": "5"}, is_enforced=True)

    (sent,) = configuration_templates.enforce(station.pk)

    assert (sent.action, sent.priority) == ("ChangeConfiguration", commands.AUTOMATIC)
    Command.objects.update(status="answered")
    assert configuration_templates.enforce(station.pk) == []


def test_a_template_that_is_not_enforced_sends_nothing(station: ChargingStation) -> None:
    told(station, A="1")
    template(keys={"A": "5"})

    assert configuration_templates.enforce(station.pk) == []


def test_a_change_during_the_fitting_begins_anew(
    station: ChargingStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = configuration_templates.save(name="all", values=[Value("A", "1")])
    real = configuration_templates.fit

    def changed_meanwhile(found: ChargingStation) -> int:
        ConfigurationTemplate.objects.filter(pk=saved.pk).update(updated_at=clock.now())
        return real(found)

    monkeypatch.setattr(configuration_templates, "fit", changed_meanwhile)

    assert not configuration_templates.fit_template(saved.pk)
    assert configuration_templates.unfitted() == [saved.pk]


def test_fitting_goes_on_after_the_last_station_that_was_done(
    station: ChargingStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = factories.station("BOB-1")
    saved = configuration_templates.save(name="all", values=[Value("A", "1")])
    monkeypatch.setattr(configuration_templates, "STATIONS_AT_ONCE", 1)

    done = [configuration_templates.fit_template(saved.pk) for _ in range(3)]

    assert done == [False, False, True]
    assert wished(station) == wished(second) == {"A": "1"}


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ([Value("AuthorizationKey", "x")], SecretKey),
        ([Value("", "x")], InvalidPayload),
        ([Value("k" * 51, "x")], InvalidPayload),
        ([Value("A", "x" * 501)], InvalidPayload),
        ([Value(f"K{n}", "x") for n in range(501)], InvalidPayload),
    ],
)
def test_what_no_station_takes_is_no_wish(values: list[Value], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        configuration_templates.save(name="all", values=values)


def test_two_templates_do_not_share_a_name() -> None:
    configuration_templates.save(name="all", values=[])

    with pytest.raises(InvalidPayload, match="name"):
        configuration_templates.save(name="all", values=[])
