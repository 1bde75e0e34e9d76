"""The parts of commerce, each with its commands and its tables: a new part is one line in each list."""

from __future__ import annotations

from cauce.commerce.ledger import api as ledger
from cauce.commerce.stock import reserving
from cauce.commerce.stock import store as stock
from cauce.commerce.transact.writer import Action
from cauce.engines.api import Table

ACTIONS: tuple[Action, ...] = (*reserving.ACTIONS,)
SHAPES: tuple[Table, ...] = (*ledger.TABLES, *stock.TABLES)
