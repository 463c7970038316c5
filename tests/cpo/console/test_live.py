"""The live socket: an open page learns which of its topics changed, nobody learns more (W8, W11)."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser, User

from cpo.asgi import application
from cpo.console import live
from cpo.console.live import LiveConsumer
from cpo.lib.nudge import LIVE_GROUP
from tests import factories


@asynccontextmanager
async def page_of(user: Any, topics: list[str]) -> AsyncIterator[WebsocketCommunicator]:
    socket = WebsocketCommunicator(LiveConsumer.as_asgi(), "/ws/live/")
    socket.scope["user"] = user
    assert (await socket.connect())[0]
    await follow(socket, topics)
    yield socket
    await socket.disconnect()


async def follow(socket: WebsocketCommunicator, topics: list[str]) -> None:
    await socket.send_to(json.dumps({"topics": topics}))
    assert json.loads(await socket.receive_from(timeout=5)) == {"following": len(topics)}


async def changed(*topics: str) -> None:
    await get_channel_layer().group_send(LIVE_GROUP, {"type": "live.changed", "topics": list(topics)})


async def heard(socket: WebsocketCommunicator) -> list[str]:
    return list(json.loads(await socket.receive_from(timeout=2))["changed"])


@pytest.fixture
def boss(transactional_db: None) -> User:
    return User.objects.create_superuser("ada")


@pytest.fixture
def limited(transactional_db: None) -> User:
    from cpo.models import Membership

    user = User.objects.create(username="olaf")
    Membership.objects.create(user=user, role="operator").operators.set([factories.operator("DE", "XYZ")])
    return user


async def test_a_page_hears_of_its_own_topics_only(boss: User) -> None:
    async with page_of(boss, ["stations", "sessions"]) as socket:
        await changed("stations", "cdrs")

        assert await heard(socket) == ["stations"]


async def test_many_changes_of_one_topic_are_told_twice_at_most(boss: User) -> None:
    async with page_of(boss, ["stations"]) as socket:
        for _ in range(20):
            await changed("stations")

        assert await heard(socket) == ["stations"]
        assert await heard(socket) == ["stations"]
        assert await socket.receive_nothing(timeout=0.7)


async def test_a_page_says_anew_what_it_shows(boss: User) -> None:
    async with page_of(boss, ["stations"]) as socket:
        await follow(socket, ["cdrs"])
        await changed("stations", "cdrs")

        assert await heard(socket) == ["cdrs"]


async def test_a_stranger_is_told_to_log_in(transactional_db: None) -> None:
    socket = WebsocketCommunicator(LiveConsumer.as_asgi(), "/ws/live/")
    socket.scope["user"] = AnonymousUser()
    await socket.connect()

    assert (await socket.receive_output())["code"] == live.NOT_LOGGED_IN


@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"topics": 1}', "{", '{"topics": "' + "x" * 20000 + '"}'])
async def test_nonsense_ends_the_socket(boss: User, text: str) -> None:
    async with page_of(boss, []) as socket:
        await socket.send_to(text)

        assert (await socket.receive_output())["type"] == "websocket.close"


async def test_a_foreign_page_cannot_open_the_socket(transactional_db: None) -> None:
    headers = [(b"origin", b"https://evil.example"), (b"host", b"127.0.0.1")]
    socket = WebsocketCommunicator(application, "/ws/live/", headers=headers)

    assert (await socket.connect())[0] is False


@pytest.mark.parametrize("kind", ["station", "frames", "session"])
def test_rows_out_of_scope_have_no_topic(limited: User, boss: User, kind: str) -> None:
    session = factories.session()
    topic = f"{kind}:{session.pk if kind == 'session' else session.station_id}"

    assert live.granted(limited, [topic, "stations"]) == {"stations"}
    assert live.granted(boss, [topic, "stations"]) == {topic, "stations"}


def test_topics_that_do_not_exist_are_not_granted(boss: User) -> None:
    assert (
        live.granted(boss, ["secrets", "station:", "station:x", "station:" + "9" * 40, "user:1", ""])
        == frozenset()
    )


def test_somebody_without_a_role_follows_nothing(transactional_db: None) -> None:
    assert live.granted(User.objects.create(username="nobody"), ["stations"]) == frozenset()


def test_a_page_follows_a_bounded_number_of_topics(
    boss: User, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    wanted = live.wanted_topics(json.dumps({"topics": [f"station:{n}" for n in range(1000)]}))

    assert wanted is not None
    assert len(wanted) == live.TOPICS_AT_MOST
    with django_assert_max_num_queries(3):
        live.granted(boss, wanted)
