"""Sharing the power of a site: fuses, vehicles and what each may draw. Pure: no database, no clock, no network."""

from stations.load_balancing.share import Consumer, Rule, Share, Why, share
from stations.load_balancing.simulation import Moment, Replayed, replay
from stations.load_balancing.site import PAUSED, PHASES, Draw, Fuse
from stations.load_balancing.staging import Wish, staged
from stations.load_balancing.wiring import Wiring

__all__ = [
    "PAUSED",
    "PHASES",
    "Consumer",
    "Draw",
    "Fuse",
    "Moment",
    "Replayed",
    "Rule",
    "Share",
    "Why",
    "Wiring",
    "Wish",
    "replay",
    "share",
    "staged",
]
