"""A synthetic retailer with customers who move between channels, and the truth about all of them.

`World` streams events in order of time in the wire form of real clients; `world.truth` knows who is who, which events
are bad or doubled on purpose, and what the campaigns have caused. `load` is a plain, faster stream for benchmarks.
"""

from cauce.testing.world.campaigns import Campaign
from cauce.testing.world.dirt import CLEAN, Dirt
from cauce.testing.world.files import write_files
from cauce.testing.world.generator import Batch, World
from cauce.testing.world.load import Load, load
from cauce.testing.world.scoring import Score, score
from cauce.testing.world.send import Delivery, send_http
from cauce.testing.world.truth import Effect, EventTruth, IdentifierTruth, JourneyTruth, Totals, Truth

__all__ = [
    "CLEAN",
    "Batch",
    "Campaign",
    "Delivery",
    "Dirt",
    "Effect",
    "EventTruth",
    "IdentifierTruth",
    "JourneyTruth",
    "Load",
    "Score",
    "Totals",
    "Truth",
    "World",
    "load",
    "score",
    "send_http",
    "write_files",
]
