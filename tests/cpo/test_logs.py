"""Log lines: one per event, whatever a charger calls itself."""

import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator

import pytest
import structlog

from cpo.lib import logs

EVIL = "a\nb\r\x1b[31m\x85\u2028\u202ec\x7f"


@pytest.fixture
def logged() -> Iterator[Callable[[bool], io.StringIO]]:
    """Give a function that turns the configuration on and gives what is written from then on."""
    root = logging.getLogger()
    before, level, handlers = structlog.get_config(), root.level, root.handlers[:]

    def turn_on(json: bool) -> io.StringIO:
        out = io.StringIO()
        settings = logs.configure("INFO", json=json)
        settings["handlers"]["stderr"]["stream"] = out
        logging.config.dictConfig(settings)
        structlog.configure(cache_logger_on_first_use=False)
        return out

    yield turn_on
    structlog.configure(**before)
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.parametrize("json", [True, False])
@pytest.mark.parametrize("name", ["django.request", "stations.ocpp"])
def test_control_characters_forge_no_line(
    logged: Callable[[bool], io.StringIO], json: bool, name: str
) -> None:
    out = logged(json)
    logging.getLogger(name).warning("vendor %s", EVIL)
    structlog.get_logger(name).warning("vendor", vendor=EVIL)

    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert not logs.UNPRINTABLE.search("".join(lines))


def test_a_line_is_a_json_object_with_time_level_and_logger(logged: Callable[[bool], io.StringIO]) -> None:
    out = logged(True)
    structlog.get_logger("stations.ocpp").info("booted", station="ADA-1")

    line = json.loads(out.getvalue())
    assert (line["event"], line["level"], line["logger"], line["station"]) == (
        "booted",
        "info",
        "stations.ocpp",
        "ADA-1",
    )
    assert line["at"].endswith("Z")


def test_an_exception_is_logged_with_its_traceback(logged: Callable[[bool], io.StringIO]) -> None:
    out = logged(True)
    try:
        raise ValueError(EVIL)
    except ValueError:
        structlog.get_logger("stations.ocpp").exception("failed")

    assert "ValueError" in json.loads(out.getvalue())["exception"]
