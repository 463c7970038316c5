"""The console's live socket: it tells an open page which topics changed, never what changed.

The page names the topics that it shows; topics of rows (`station:42`) are granted only where the person may see the
row. The page then re-reads its fragments through the ordinary views. Hints may be lost: the page polls while it has no
socket.
"""

import asyncio
import json
import time
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from cpo import access
from cpo.access import Principal
from cpo.lib.nudge import LIVE_GROUP

PAUSE_S = 0.5  # seconds between two hints about one topic
TOPICS_AT_MOST = 200  # of one page
TEXT_AT_MOST = 16_384  # characters of one message from the page
NOT_LOGGED_IN = 4401  # close code

PLAIN_TOPICS = frozenset(
    {
        "overview",
        "stations",
        "sessions",
        "sites",
        "cdrs",
        "tokens",
        "tariffs",
        "partners",
        "onboarding",
        "reservations",
        "review",
        "security",
        "certificates",
        "charging-profiles",
        "configuration",
        "commands",
    }
)


class LiveConsumer(AsyncWebsocketConsumer):
    """One open page."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.topics: frozenset[str] = frozenset()
        self.pending: set[str] = set()
        self.sent_at: dict[str, float] = {}
        self.sender: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()  # so that the page can read why it is closed
        user = self.scope.get("user")
        if user is None or not user.is_authenticated:
            await self.close(code=NOT_LOGGED_IN)
            return
        await self.channel_layer.group_add(LIVE_GROUP, self.channel_name)

    async def disconnect(self, code: int) -> None:
        if self.sender is not None:
            self.sender.cancel()
        await self.channel_layer.group_discard(LIVE_GROUP, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take the page's list of topics, `{"topics": ["stations", "station:42"]}`, and say when they are followed."""
        wanted = wanted_topics(text_data or "")
        if wanted is None:
            await self.close(code=1003)
            return
        self.topics = await database_sync_to_async(granted)(self.scope["user"], wanted)
        self.sent_at = {topic: at for topic, at in self.sent_at.items() if topic in self.topics}
        await self.send(json.dumps({"following": len(self.topics)}))  # from here on nothing is missed

    async def live_changed(self, message: dict[str, Any]) -> None:
        """Note what changed of what the page shows, and see to it that the page is told."""
        self.pending |= self.topics.intersection(message["topics"])
        if self.pending and (self.sender is None or self.sender.done()):
            self.sender = asyncio.create_task(self._send_pending())

    async def _send_pending(self) -> None:
        """Send changed topics, each at most every `PAUSE_S`; the last change is never swallowed."""
        while self.pending:
            now = time.monotonic()
            due = {topic: self.sent_at.get(topic, 0.0) + PAUSE_S for topic in self.pending}
            ripe = sorted(topic for topic, at in due.items() if at <= now)
            if ripe:
                self.pending.difference_update(ripe)
                self.sent_at.update(dict.fromkeys(ripe, now))
                await self.send(json.dumps({"changed": ripe}))
            else:
                await asyncio.sleep(min(due.values()) - now)


def wanted_topics(text: str) -> list[str] | None:
    """Read the page's message; None when it is not one."""
    if len(text) > TEXT_AT_MOST:
        return None
    try:
        topics = json.loads(text)["topics"]
    except (ValueError, TypeError, KeyError):
        return None
    if not isinstance(topics, list):
        return None
    return [topic for topic in topics if isinstance(topic, str)][:TOPICS_AT_MOST]


def granted(user: Any, wanted: list[str]) -> frozenset[str]:
    """Return those topics that the person may follow: one query for each kind of row."""
    user.refresh_from_db()
    principal = Principal.of_user(user)
    if not access.may(principal, "view"):
        return frozenset()
    topics = PLAIN_TOPICS.intersection(wanted)
    ids = {topic: _id(topic) for topic in wanted if ":" in topic}
    rows = {
        "station": access.stations(principal),
        "frames": access.stations(principal),
        "session": access.sessions(principal),
        "partner": access.partners(principal),
        "site": access.locations(principal),
    }
    for kind, visible in rows.items():
        asked = {number for topic, number in ids.items() if number and topic.startswith(f"{kind}:")}
        if asked:
            seen = visible.filter(pk__in=asked).values_list("pk", flat=True)
            topics |= {f"{kind}:{number}" for number in seen}
    return frozenset(topics)


def _id(topic: str) -> int | None:
    number = topic.rpartition(":")[2]
    return int(number) if number.isdecimal() and len(number) < 19 else None
