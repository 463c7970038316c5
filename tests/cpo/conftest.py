"""Folders for the tests of the embedded services."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Only root can become somebody else; an ordinary user's services run as himself.
collect_ignore = [] if os.geteuid() == 0 else ["test_embedded_as_root.py"]


@pytest.fixture
def var() -> Iterator[Path]:
    """Give a folder that the services' account can reach (pytest's own are closed), not yet made."""
    above = Path(tempfile.mkdtemp(prefix="opencpo-test-"))
    above.chmod(0o755)
    yield above / "var"
    shutil.rmtree(above)
