"""The contents page of a version names every message of its schemas exactly once."""

import pytest

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
