"""Nudges: small, coalesced hints that may get lost, because the row is the truth and a sweep finds it.

`task(name, id)` asks a Celery worker to look at a row; ids of one task name are sent together, at most every
`DELAY_S`. `topics(names)` tells open console pages which topics changed. Neither blocks nor raises: a thread of this
process sends them, and a broker that is away only costs the hint.
"""

import os
import threading
import time
from collections import defaultdict

import structlog
from asgiref.sync import async_to_sync
from celery import current_app
from channels.layers import get_channel_layer
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

DELAY_S = 0.1  # seconds in which hints are collected
IDS_AT_ONCE = 200  # ids in one Celery message
LIVE_GROUP = "live"

_lock = threading.Lock()
_wake = threading.Event()
_ids: dict[str, dict[int, None]] = defaultdict(dict)
_topics: dict[str, None] = {}
_due: dict[str, float] = {}
_sender_pid = 0


def task(name: str, row_id: int, *, delay_s: float = DELAY_S) -> None:
    """Ask a worker to run the task `name` with a list of ids that holds this one, within `delay_s` seconds."""
    with _lock:
        _ids[name][row_id] = None
        _due.setdefault(name, time.monotonic() + delay_s)
    _ensure_sender()


def topics(*names: str) -> None:
    """Tell the console that these topics (`station:42`, `sessions`, …) changed."""
    with _lock:
        _topics.update(dict.fromkeys(names))
    _ensure_sender()


def _ensure_sender() -> None:
    global _sender_pid
    if _sender_pid != os.getpid():  # first use, or this process is a fork
        with _lock:
            if _sender_pid != os.getpid():
                _sender_pid = os.getpid()
                threading.Thread(target=_send_forever, name="nudge", daemon=True).start()
    _wake.set()


def _send_forever() -> None:
    while True:
        _wake.wait()
        _wake.clear()
        time.sleep(DELAY_S)
        flush()


def flush(*, everything: bool = False) -> None:
    """Send what is due now. Errors are logged once per call and dropped."""
    moment = time.monotonic()
    with _lock:
        ripe = [name for name, due in _due.items() if everything or due <= moment]
        batches = {name: list(_ids.pop(name, {})) for name in ripe}
        for name in ripe:
            del _due[name]
        names = list(_topics)
        _topics.clear()
        if _due:
            _wake.set()
    try:
        for task_name, ids in batches.items():
            for start in range(0, len(ids), IDS_AT_ONCE):
                current_app.send_task(task_name, args=[ids[start : start + IDS_AT_ONCE]])
        layer = get_channel_layer()
        if names and layer is not None:
            async_to_sync(layer.group_send)(LIVE_GROUP, {"type": "live.changed", "topics": names})
    except (OSError, RedisError, OperationalError) as error:
        log.warning("nudge lost", error=type(error).__name__, tasks=sorted(batches), topics=len(names))
