"""A task over rows: together when all is well, alone when one is poisoned."""

import pytest
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError

from cpo.lib.tasks import RowsTask


class Recorder:
    """A task of its own app that fails for one id, and what happened."""

    def __init__(self, error: Exception, bad: int) -> None:
        self.runs: list[list[int]] = []
        self.poisoned: list[tuple[int, str]] = []

        @Celery("test", set_as_current=False).task(base=RowsTask, poisoned=staticmethod(self.tell))
        def work(ids: list[int]) -> None:
            self.runs.append(ids)
            if bad in ids:
                raise error

        self.work = work

    def tell(self, row_id: int, error: Exception) -> None:
        self.poisoned.append((row_id, str(error)))


def test_rows_are_worked_on_together():
    recorder = Recorder(ValueError("odd"), bad=9)

    recorder.work([1, 2, 2, 3])

    assert recorder.runs == [[1, 2, 3]]


def test_a_poisoned_row_is_told_and_the_others_are_done():
    recorder = Recorder(ValueError("odd"), bad=2)

    recorder.work([1, 2, 3])

    assert recorder.runs == [[1, 2, 3], [1], [2], [3]]
    assert recorder.poisoned == [(2, "odd")]


def test_a_single_row_fails_once():
    recorder = Recorder(ValueError("odd"), bad=2)

    recorder.work([2])

    assert recorder.runs == [[2]]


@pytest.mark.parametrize("error", [OperationalError("gone"), SoftTimeLimitExceeded()])
@pytest.mark.parametrize("ids", [[2], [1, 2]])
def test_nobody_is_poisoned_when_the_database_or_the_time_is_gone(error, ids):
    recorder = Recorder(error, bad=2)

    with pytest.raises(type(error)):
        recorder.work(ids)

    assert recorder.poisoned == []
