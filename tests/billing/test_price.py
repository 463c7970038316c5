"""`manage.py price`: one JSON object on stdout, or one line on stderr."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.billing.tariff.make import component, document, element

ROOT = Path(__file__).parents[2]
CDR = {
    "start_date_time": "2025-03-10T09:00:00Z",
    "end_date_time": "2025-03-10T10:00:00Z",
    "currency": "EUR",
    "charging_periods": [
        {"start_date_time": "2025-03-10T09:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 20.45}]}
    ],
}


@pytest.fixture
def files(tmp_path):
    """Write documents to files and return their names."""

    def write(tariff=None, cdr=None):
        names = tmp_path / "tariff.json", tmp_path / "cdr.json"
        for name, value in zip(names, (tariff or document(), cdr or CDR), strict=True):
            name.write_text(value if isinstance(value, str) else json.dumps(value))
        return [f"--tariff={names[0]}", f"--cdr={names[1]}"]

    return write


def priced(*arguments):
    out = io.StringIO()
    call_command("price", *arguments, stdout=out)
    return json.loads(out.getvalue())


def test_it_prints_totals_with_and_without_vat(files):
    report = priced(*files())

    assert report["total_cost"]["excl_vat"] == "10.225"
    assert report["total_cost"]["incl_vat"] == "12.27"
    assert report["billed_energy_kwh"] == "20.45"
    assert report["explanation"][0].startswith("Tariff NL*ADA T1 in EUR")


def test_the_time_zone_option_decides_local_times(files):
    names = files(document(element(component(price="1"), start_time="10:00"), element(component(price="2"))))

    assert priced(*names)["total_cost"]["excl_vat"] == "40.90"
    assert priced(*names, "--time-zone=Europe/Amsterdam")["total_cost"]["excl_vat"] == "20.45"


def test_the_version_option_wins_over_the_fields(files):
    assert priced(*files(), "--ocpi=2.1.1")["total_cost"]["incl_vat"] is None


def test_the_outcome_of_a_reservation_can_be_told(files):
    dimensions = [{"type": "RESERVATION_TIME", "volume": 1}]
    reserved = {
        **CDR,
        "charging_periods": [{"start_date_time": CDR["start_date_time"], "dimensions": dimensions}],
    }
    names = files(document(element(component("FLAT", "7"), reservation="RESERVATION_EXPIRES")), reserved)

    assert priced(*names)["total_reservation_cost"]["excl_vat"] == "7.00"
    assert priced(*names, "--reservation=cancelled")["total_reservation_cost"]["excl_vat"] == "0.00"


def test_a_file_may_come_from_standard_input(files, monkeypatch):
    _, cdr = files()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(document()).encode())))

    assert priced("--tariff=-", cdr)["currency"] == "EUR"


@pytest.mark.parametrize(
    ("tariff", "fault"),
    [
        (
            document(element(component(price="dear"))),
            r"^elements\[0\].price_components\[0\].price: 'dear' is not a",
        ),
        ('{"id":', r"tariff.json: no JSON: "),
        ('{"id": NaN}', r"tariff.json: no JSON: NaN is no JSON number"),
        ("[" * 100_000, r"tariff.json: no JSON: "),
        (document(element(moon="full")), r"restrictions.moon is no OCPI restriction"),
    ],
)
def test_a_fault_is_one_line_and_code_2(files, tariff, fault):
    with pytest.raises(CommandError, match=fault) as raised:
        priced(*files(tariff))

    assert raised.value.returncode == 2
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_a_fault(files):
    with pytest.raises(CommandError, match="nowhere.json: No such file or directory"):
        priced("--tariff=nowhere.json", files()[1])


def test_nothing_but_json_reaches_stdout(files):
    ran = run(*files())

    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["total_cost"]["excl_vat"] == "10.225"


def test_a_fault_leaves_stdout_empty(files):
    ran = run(*files("{"))

    assert (ran.returncode, ran.stdout) == (2, "")
    assert len(ran.stderr.splitlines()) == 1


def run(*arguments):
    command = [sys.executable, str(ROOT / "manage.py"), "price", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ, check=False)
