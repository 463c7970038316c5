"""Events become topics: every event of the network and of money reaches the pages that show it.

No test here may touch the database: neither may a subscriber, which runs in a charger's thread.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.layers import get_channel_layer

from billing import events as billing_events
from cpo.console import subscribers  # noqa: F401  (registers itself)
from cpo.lib import events, nudge
from stations import events as station_events

TOLD: list[tuple[Any, set[str]]] = [
    (station_events.StationConnected(7, 1), {"overview", "stations", "station:7"}),
    (station_events.StationDisconnected(7, 1), {"overview", "stations", "station:7"}),
    (station_events.StationChanged(7), {"overview", "stations", "station:7"}),
    (station_events.VariablesChanged(7), {"configuration", "station:7"}),
    (station_events.LocationChanged(3), {"stations"}),
    (
        station_events.StatusesChanged(frozenset({1}), frozenset({7, 8})),
        {"overview", "stations", "station:7", "station:8"},
    ),
    (station_events.SessionStarted(5, 7), {"overview", "sessions", "session:5", "station:7"}),
    (
        station_events.SessionsUpdated(frozenset({5}), frozenset({7})),
        {"overview", "sessions", "session:5", "station:7"},
    ),
    (station_events.SessionEnded(5, 7), {"overview", "sessions", "session:5", "station:7"}),
    (station_events.SessionChanged(5, 7), {"overview", "sessions", "session:5", "station:7"}),
    (station_events.CommandChanged(2, 7, "sent"), {"commands", "station:7"}),
    (station_events.ReservationChanged(3, 7, "used"), {"reservations", "station:7"}),
    (station_events.RemoteRequestChanged(3, 7, "failed"), {"commands", "station:7"}),
    (station_events.AvailabilityChanged(7), {"station:7"}),
    (station_events.TokenChanged(1), {"tokens"}),
    (station_events.UnknownTokenShown(7), {"tokens"}),
    (station_events.LocalListChanged(7), {"local-lists", "station:7"}),
    (station_events.QuirksChanged(7), {"station:7"}),
    (station_events.MonitoringChanged(7), {"station:7"}),
    (station_events.DisplayMessagesChanged(7), {"station:7"}),
    (station_events.DERControlChanged(7), {"station:7"}),
    (station_events.EnergyServicesChanged(7), {"station:7"}),
    (station_events.ChargingProfilesChanged(7), {"station:7"}),
    (station_events.SitePowerChanged(3), {"sites", "site:3"}),
    (station_events.ProfileTemplateChanged(1), {"charging-profiles"}),
    (station_events.FilesChanged(7), {"station:7", "firmware"}),
    (station_events.CustomerInformationChanged(7), {"station:7"}),
    (station_events.FirmwareLibraryChanged(), {"firmware"}),
    (station_events.FramesStored(frozenset({7})), {"frames:7"}),
    (station_events.ReviewItemChanged(1), {"overview", "review"}),
    (station_events.CertificatesChanged(7), {"certificates", "station:7"}),
    (station_events.SecurityEventRecorded(7, 1), {"security", "station:7"}),
    (station_events.OnboardingChanged("X"), {"overview", "onboarding"}),
    (billing_events.CdrIssued(1, 5), {"overview", "cdrs", "sessions", "session:5"}),
    (billing_events.TariffChanged(1), {"tariffs"}),
    (billing_events.PaymentChanged(1, 7), {"payments", "station:7"}),
]


@pytest.fixture
async def hears() -> AsyncIterator[Any]:
    """Listen as an open page's socket does; the names of one flush are given, or None when nothing comes."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(nudge.LIVE_GROUP, channel)

    async def hear() -> set[str]:
        return set((await asyncio.wait_for(layer.receive(channel), 2))["topics"])

    marker = f"marker:{uuid.uuid4()}"  # once it is heard, nothing of an earlier event is on its way
    nudge.topics(marker)
    while marker not in await hear():
        pass
    yield hear
    await layer.group_discard(nudge.LIVE_GROUP, channel)


@pytest.mark.parametrize(("event", "topics"), TOLD, ids=lambda value: type(value).__name__)
async def test_an_event_reaches_its_topics(hears: Any, event: object, topics: set[str]) -> None:
    events.deliver(event)

    assert await hears() == topics


def test_every_event_has_a_case() -> None:
    known = {
        found
        for module in (station_events, billing_events)
        for found in vars(module).values()
        if isinstance(found, type) and found.__module__ == module.__name__
    }

    assert known == {type(event) for event, _ in TOLD}
