"""What must be documented is documented."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_from_the_environment_is_documented() -> None:
    settings = (ROOT / "cpo" / "settings.py").read_text()
    named = set(re.findall(r'env\.\w+\(\s*"(\w+)"', settings))
    documented = (ROOT / "docs" / "operations.md").read_text()

    assert {name for name in named if name not in documented} == set()


def test_every_decision_is_on_the_list() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text()

    assert [path.name for path in folder.glob("0*.md") if path.name not in index] == []


def test_every_requirement_says_why_it_is_here() -> None:
    lines = [
        line
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (ROOT / name).read_text().splitlines()
        if line and not line.startswith(("#", "-r"))
    ]

    assert [line for line in lines if "==" not in line or " # " not in line] == []
