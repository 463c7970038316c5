"""The contents page of a version names every message of its schemas exactly once."""

from pathlib import Path

import pytest

from cpo.management.commands import write_coverage
from stations.ocpp import codec
from stations.ocpp.pipeline import CONTENTS


@pytest.mark.parametrize("version", CONTENTS)
def test_every_schema_is_routed_or_refused_with_a_reason(version: str) -> None:
    contents = CONTENTS[version]
    named = {*contents.inbound, *contents.outbound, *contents.not_offered}

    assert named == set(codec.actions(version))


@pytest.mark.parametrize("version", CONTENTS)
def test_nothing_is_offered_and_refused_at_once(version: str) -> None:
    contents = CONTENTS[version]

    assert not set(contents.not_offered) & {*contents.inbound, *contents.outbound}
    assert all(contents.not_offered.values())


@pytest.mark.parametrize("version", CONTENTS)
def test_every_action_names_its_section(version: str) -> None:
    contents = CONTENTS[version]

    assert {name.removesuffix(".out") for name in contents.sections} == set(codec.actions(version))


def test_the_coverage_page_is_what_the_route_tables_say() -> None:
    root = Path(__file__).resolve().parents[2]

    assert (root / write_coverage.PAGE).read_text() == write_coverage.page(root)


@pytest.mark.parametrize("version", CONTENTS)
def test_every_action_is_told_in_a_story(version: str) -> None:
    root = Path(__file__).resolve().parents[2]
    contents, stories = CONTENTS[version], write_coverage.stories(root / write_coverage.folder(version))
    offered = {*contents.inbound, *contents.outbound} if not contents.not_offered else set(contents.inbound)

    assert [name for name in sorted(offered) if not write_coverage.told(name, stories)] == []
