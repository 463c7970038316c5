"""Write the coverage pages of OCPP from route tables and stories; `--check` tells whether they are up to date."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cpo.management import certification
from stations.ocpp.pipeline import CONTENTS
from stations.ocpp.route import Contents, Route

PAGE = Path("docs/coverage-ocpp.md")
STORIES = Path("tests/stories")
HEAD = """# OCPP coverage

Made by `manage.py write_coverage` from the route tables (`stations/ocpp/*/routes.py`) and the stories
(`tests/stories/`); a test fails when it is out of date. *Lane*: fast handlers touch no database and ride in the
group commit, careful ones act through services in a worker thread, plain ones ride along when nothing about them is
odd. *Stories*: tests over a real socket that name the message, by file. Besides these, `test_bad_input.py` sends
each message of a station with one fault at a time.
"""


class Command(BaseCommand):
    help = "Write docs/coverage-ocpp.md and docs/coverage-certification.md from the route tables and the stories."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail if it is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        root = Path(settings.BASE_DIR)
        for place, text in ((PAGE, page(root)), (certification.PAGE, certification.page(root))):
            if not options["check"]:
                (root / place).write_text(text)
            elif (root / place).read_text() != text:
                raise CommandError(f"{place} is out of date: run manage.py write_coverage")


def page(root: Path) -> str:
    """Return the page's text for the checkout at `root`."""
    parts = [HEAD]
    for version, contents in CONTENTS.items():
        parts.append(_version(contents, stories(root / folder(version))))
    return "\n".join(parts)


def folder(version: str) -> Path:
    """Return where the stories of a version are: 2.0.1 and 2.1 share a folder."""
    return STORIES / f"v{version[0]}" if version[0] != "1" else STORIES


def _version(contents: Contents, told_by: dict[str, str]) -> str:
    both = set(contents.inbound) & set(contents.outbound)
    count = len(contents.inbound) + len(contents.outbound) - len(both)
    lines = [
        f"## OCPP {contents.version}",
        "",
        f"{count} actions: {len(contents.inbound)} from stations, {len(contents.outbound)} to stations, "
        f"{len(both)} in both directions; not offered: {len(contents.not_offered) or 'none'}.",
        "",
        "### From stations",
        "",
        "| action | section | lane | handler | stories |",
        "|---|---|---|---|---|",
    ]
    for action, route in sorted(contents.inbound.items()):
        place = contents.sections.get(action, "")
        lines.append(
            f"| {action} | {place} | {_lane(route)} | {_name(route.handler)} | {_files(action, told_by)} |"
        )
    lines += [
        "",
        "### To stations",
        "",
        "| action | section | outcome is heard by | stories |",
        "|---|---|---|---|",
    ]
    for action, handler in sorted(contents.outbound.items()):
        heard = _name(handler) if handler else "the command's own row"
        place = contents.sections.get(f"{action}.out", contents.sections.get(action, ""))
        lines.append(f"| {action} | {place} | {heard} | {_files(action, told_by)} |")
    if contents.not_offered:
        lines += ["", "### Not offered", "", "| action | why |", "|---|---|"]
        lines += [f"| {action} | {why} |" for action, why in sorted(contents.not_offered.items())]
    return "\n".join([*lines, ""])


def _lane(route: Route) -> str:
    return "fast" if route.is_fast else "plain, careful" if route.plain else "careful"


def _name(handler: Callable[..., Any]) -> str:
    module = handler.__module__.removeprefix("stations.ocpp.")
    return f"`{module}.{handler.__name__}`"


def _files(action: str, told_by: dict[str, str]) -> str:
    return ", ".join(told(action, told_by)) or "none"


def told(action: str, stories: dict[str, str]) -> list[str]:
    """Name the files with stories that speak of the action."""
    return sorted(
        {place.partition("::")[0] for place, source in stories.items() if re.search(rf"\b{action}\b", source)}
    )


def stories(place: Path) -> dict[str, str]:
    """Return the source text of each story by its place."""
    return dict(_stories(place))


def _stories(place: Path) -> Iterator[tuple[str, str]]:
    """Yield each story's place and source text."""
    for path in sorted(place.glob("test_*.py")):
        text = path.read_text()
        tree = ast.parse(text)
        about = ast.get_docstring(tree) or ""  # what all stories of the file are about
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                decorators = " ".join(ast.get_source_segment(text, d) or "" for d in node.decorator_list)
                source = ast.get_source_segment(text, node) or ""
                yield f"{path.stem}::{node.name}", f"{about} {decorators} {source}"
