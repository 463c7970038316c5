"""Sharing the power of a site: fuses, vehicles and what each may draw. Pure: no database, no clock, no network."""

from stations.load_balancing.share import PAUSED, Consumer, Fuse, Rule, share
from stations.load_balancing.simulation import Moment, Replayed, replay

__all__ = ["PAUSED", "Consumer", "Fuse", "Moment", "Replayed", "Rule", "replay", "share"]
