"""Rows of roaming: partners' platforms, their parties and tokens, what is to be pushed, and what was said."""

from roaming.models.connections import Connection, InboundToken, RemoteParty
from roaming.models.exchanges import Exchange
from roaming.models.outbox import Push

__all__ = ["Connection", "Exchange", "InboundToken", "Push", "RemoteParty"]
