"""Wake the process that holds a station's socket: PostgreSQL NOTIFY inside the writer's own transaction.

A wake-up is a nudge: it may get lost, and every process looks at its rows every few seconds anyway. Being part of the
transaction, it cannot arrive before the row it speaks of.
"""

from django.db import connection

CHANNEL = "opencpo_wake"


def command(station_id: int) -> None:
    """A command of this station waits in the queue."""
    _notify(f"command:{station_id}")


def changed(station_id: int) -> None:
    """Somebody else changed rows of this station: its owner reads them again."""
    _notify(f"changed:{station_id}")


def taken_over(station_id: int, epoch: int) -> None:
    """A newer connection owns this station: whoever holds an older one closes it."""
    _notify(f"epoch:{station_id}:{epoch}")


def probe(station_id: int, question: str) -> None:
    """Somebody asks whether this station's socket lives: its owner answers."""
    _notify(f"probe:{station_id}:{question}")


def alive(station_id: int, question: str, *, is_alive: bool) -> None:
    """Answer such a question."""
    _notify(f"alive:{station_id}:{question}:{int(is_alive)}")


def _notify(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_notify(%s, %s)", [CHANNEL, text])
