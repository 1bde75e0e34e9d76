"""The nouns of Cauce: frozen types without I/O. Read this package once and you speak the language."""

from cauce.model.event import DECISION, Event, Identifier, Reason, Received
from cauce.model.log import DECISIONS, Record, index_of, offset_of, position_of
from cauce.model.passage import Fate, Passage
from cauce.model.source import Source
from cauce.model.time import DAY, HOUR, MINUTE, SECOND, day_of, from_iso, to_iso

__all__ = [
    "DAY",
    "DECISION",
    "DECISIONS",
    "HOUR",
    "MINUTE",
    "SECOND",
    "Event",
    "Fate",
    "Identifier",
    "Passage",
    "Reason",
    "Received",
    "Record",
    "Source",
    "day_of",
    "from_iso",
    "index_of",
    "offset_of",
    "position_of",
    "to_iso",
]
