"""The parts of commerce, each with its commands and its tables: a new part is one line in each list."""

from __future__ import annotations

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.catalogue import items, places, prices, products
from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty import api as loyalty
from cauce.commerce.orders import api as orders
from cauce.commerce.orders import changing, placing
from cauce.commerce.stock import commands, reserving
from cauce.commerce.stock import store as stock
from cauce.commerce.stock.levels import watched
from cauce.commerce.tills import relay
from cauce.commerce.transact.writer import Action
from cauce.engines.api import Table

_ACTIONS: tuple[Action, ...] = (
    *products.ACTIONS,
    *items.ACTIONS,
    *prices.ACTIONS,
    *places.ACTIONS,
    *reserving.ACTIONS,
    *commands.ACTIONS,
    *placing.ACTIONS,
    *changing.ACTIONS,
    *relay.ACTIONS,
    *loyalty.ACTIONS,
)
ACTIONS: tuple[Action, ...] = tuple(map(watched, _ACTIONS))
"""Whatever a command does to stock, those who wait for it hear of it."""
SHAPES: tuple[Table, ...] = (*ledger.TABLES, *catalogue.TABLES, *stock.TABLES, *orders.TABLES, *loyalty.TABLES)
