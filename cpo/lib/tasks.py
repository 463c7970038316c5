"""Tasks over row ids: all together for speed, each alone when that fails, and the poisoned one told apart.

Celery carries only ids; rows remember tries. A failure of the database or the time limit is nobody's fault: it
passes through, and the sweep brings the ids again.
"""

from collections.abc import Callable
from typing import Any

import structlog
from celery import Task
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError

log = structlog.get_logger(__name__)


class RowsTask(Task):  # type: ignore[misc]  # celery ships no types
    """Base of a task whose one argument is a list of row ids.

    `poisoned(row_id, error)` is called for a row that fails alone; the option wants a `staticmethod`.
    """

    abstract = True
    poisoned: Callable[[int, Exception], None]

    def __call__(self, ids: list[int]) -> Any:
        """Run for all ids; when that fails, once for each."""
        ids = list(dict.fromkeys(ids))
        if len(ids) < 2:
            return self._alone(ids)
        try:
            return self.run(ids)
        except (SoftTimeLimitExceeded, InterfaceError, OperationalError):
            raise
        except Exception as error:
            log.warning(
                "batch failed, trying each row alone",
                task=self.name,
                rows=len(ids),
                error=type(error).__name__,
            )
        for row_id in ids:
            self._alone([row_id])
        return None

    def _alone(self, ids: list[int]) -> Any:
        try:
            return self.run(ids)
        except (SoftTimeLimitExceeded, InterfaceError, OperationalError):
            raise
        except Exception as error:
            log.exception("row failed", task=self.name, row_ids=ids)
            for row_id in ids:
                self.poisoned(row_id, error)
