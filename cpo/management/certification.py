"""The page docs/coverage-certification.md: which story tells which test case of part 6 and which use case of 2.1.

A story says so by its name: `test_tc_b_01_csms_...` is test case TC_B_01 for a CSMS, `test_k28_...` use case K28. What
there is to tell comes from two tables in `tests/vectors`: the cases that part 5 lists for a CSMS, with the profile
and whether they are mandatory (M) or conditional (C), and the use cases that 2.1 adds.
"""

import csv
from collections import defaultdict
from pathlib import Path

PAGE = Path("docs/coverage-certification.md")
CASES = Path("tests/vectors/ocpp_certification.csv")
USE_CASES = Path("tests/vectors/ocpp_use_cases_21.csv")
STORIES = Path("tests/stories/v2")
HEAD = """# Certification coverage

Made by `manage.py write_coverage` from the names of the stories in `tests/stories/v2`; a test fails when a case has no
story of its own or this page is out of date. Each story runs over a real socket.

## OCPP 2.0.1: test cases for a CSMS

All that part 5 lists for a certification profile. *M* is mandatory, *C* conditional.

| test case | profile | story |
|---|---|---|
"""


def page(root: Path) -> str:
    """Return the page's text for the checkout at `root`."""
    names = stories(root)
    profiles: dict[str, list[str]] = defaultdict(list)
    for case, profile, status in cases(root):
        profiles[case].append(f"{profile} ({status})")
    lines = [
        f"| {case} | {', '.join(found)} | {_cell(told_case(case, names))} |"
        for case, found in sorted(profiles.items())
    ]
    lines += ["", "## OCPP 2.1: use cases", "", "| use case | stories |", "|---|---|"]
    lines += [f"| {case} | {_cell(told_use_case(case, names))} |" for case in use_cases(root)]
    return HEAD + "\n".join([*lines, ""])


def cases(root: Path) -> list[tuple[str, str, str]]:
    """Return test case, certification profile and M or C of each line of part 5."""
    with (root / CASES).open(newline="") as file:
        return [(row["id"], row["profile"], row["status"]) for row in csv.DictReader(file)]


def use_cases(root: Path) -> list[str]:
    """Return the use cases of 2.1 that have to be told, such as "K28"."""
    with (root / USE_CASES).open(newline="") as file:
        return [
            f"{row['block']}{number:02}"
            for row in csv.DictReader(file)
            for number in range(int(row["first"]), int(row["last"]) + 1)
        ]


def stories(root: Path) -> dict[str, str]:
    """Return the file of each story by the story's name."""
    return {
        line.split("(", 1)[0].removeprefix("async ").removeprefix("def "): path.name
        for path in sorted((root / STORIES).glob("test_*.py"))
        for line in path.read_text().splitlines()
        if line.startswith(("def test_", "async def test_"))
    }


def told_case(case: str, names: dict[str, str]) -> list[str]:
    """Return the stories of a test case of part 6: those that begin with its id and no other's."""
    return [name for name in names if name.startswith(f"test_{case.lower()}_csms")]


def told_use_case(case: str, names: dict[str, str]) -> list[str]:
    """Return the stories of a use case."""
    return [name for name in names if name.startswith(f"test_{case.lower()}_")]


def _cell(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
