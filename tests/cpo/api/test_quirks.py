"""/stations/{id}/quirks/: what is odd about a station, an operator's word about it, the export of the fleet."""

import pytest
import yaml

from cpo.models import AuditEvent
from stations.services import quirks
from tests import factories

PATH = "stations/ADA-1/quirks/"


@pytest.fixture
def ada(db):
    return factories.station("ADA-1", vendor="EN+", model="AC7000")


def test_it_shows_what_holds_and_who_says_so(api, ada):
    quirks.count({(ada.pk, "bom"): (4, None)})

    shown = api.get(PATH)

    assert shown["in_force"] == {"ping_interval_s": 0, "settle_s": 10, "no_zero_limit": True}
    rows = {row["flag"]: row for row in shown["results"]}
    assert (rows["bom"]["count"], rows["bom"]["source"], rows["bom"]["in_force"]) == (4, "detected", False)
    assert (rows["settle_s"]["source"], rows["settle_s"]["in_force"]) == ("profile", True)


def test_an_operators_word_is_set_and_taken_back(api, ada):
    assert api("PUT", f"{PATH}settle_s/", {"value": 3}).status_code == 200
    assert quirks.flags(ada)["settle_s"] == 3

    assert api("DELETE", f"{PATH}settle_s/").status_code == 200
    assert quirks.flags(ada)["settle_s"] == 10
    assert [event.facts for event in AuditEvent.objects.order_by("id")] == [
        {"flag": "settle_s", "value": 3},
        {"flag": "settle_s"},
    ]


@pytest.mark.parametrize(("flag", "value"), [("settle_s", "soon"), ("colour", 1), ("settle_s", None)])
def test_a_flag_or_value_that_is_none_is_refused(api, ada, flag, value):
    assert api("PUT", f"{PATH}{flag}/", {"value": value}).status_code == 400


def test_a_viewer_may_look_and_not_touch(client_of, ada):
    viewer = client_of("viewer")

    assert viewer("GET", PATH).status_code == 200
    assert viewer("PUT", f"{PATH}settle_s/", {"value": 3}).status_code == 403


def test_the_station_of_another_operator_has_no_quirks(client_of, ada):
    stranger = client_of("operator", operators=[factories.operator("DE", "XYZ")])

    assert stranger("GET", PATH).status_code == 404
    assert stranger("PUT", f"{PATH}settle_s/", {"value": 3}).status_code == 404


def test_the_table_of_flags_is_complete(api):
    assert {row["flag"] for row in api.get("quirks/")["results"]} == set(quirks.KNOWN)


def test_the_export_holds_what_was_learned(api, ada):
    quirks.override(ada, flag="min_limit_a", value=8, by="Ada")

    (entry,) = yaml.safe_load(api("GET", "quirks/export.yaml").content)

    assert (entry["vendor"], entry["flags"]) == (r"^EN\+$", {"min_limit_a": 8})
