"""Structured logs: one line per event on standard error, as JSON or for a terminal."""

import json as jsonlib
import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# C0 and C1 controls, line separators and bidirectional overrides: what could forge a line or repaint a terminal.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def escape(text: str) -> str:
    r"""Give the text with every control character written as `\uXXXX`."""
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def escape_values(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Escape the controls in all strings but the traceback, whose lines are escaped one by one."""
    for key, value in event.items():
        if isinstance(value, str):
            lines = value.split("\n") if key == "exception" else [value]
            event[key] = "\n".join(escape(line) for line in lines)
    return event


def configure(level: str = "INFO", *, json: bool = True) -> dict[str, Any]:
    """Set structlog up and give Django's LOGGING dictionary.

    Records of the standard library and of structlog take the same road: time in UTC, level, logger, event. With
    `json` the output is one object per line, else short text for a person. Control characters that come from
    outside (a charger's vendor name, a path) are escaped in both forms.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_colour,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    *_rendering(json=json),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handlers would print every line twice and mail administrators that nobody configured.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "uvicorn": {"handlers": [], "level": level, "propagate": True},
            "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
            # Three lines per connection of a charger: what matters of them is a row (stations.models.connections).
            "uvicorn.error": {"handlers": [], "level": "WARNING", "propagate": True},
            "websockets": {"level": "WARNING"},
            # Two lines per task and one per tick of the clock say nothing that the rows do not.
            "celery.beat": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }


def _without_colour(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Drop uvicorn's second copy of its message, with terminal colours in it."""
    event.pop("color_message", None)
    return event


def _rendering(*, json: bool) -> list[Processor]:
    if json:
        return [structlog.processors.JSONRenderer(serializer=_dumps)]
    return [
        escape_values,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]


def _dumps(event: EventDict, **options: Any) -> str:
    """Write JSON in ASCII, so that C1 controls and bidirectional overrides are escaped too."""
    return jsonlib.dumps(event, ensure_ascii=True, **options).replace("\x7f", "\\u007f")
