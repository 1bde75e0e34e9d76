"""A shop in memory: commands of orders and stock with a clock of its own, and what always holds of its orders."""

from __future__ import annotations

from typing import Any

import msgspec

from cauce.commerce.fulfilment.counter import Counter
from cauce.commerce.fulfilment.store import CODES, PICKUPS
from cauce.commerce.orders import rules
from cauce.commerce.orders.store import ALLOCATIONS, HISTORY, LINES, ORDERS, PAYMENTS
from cauce.commerce.parts import ACTIONS, SHAPES, whole
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.commerce.stock.reserving import sweep
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.writer import Writer
from cauce.engines.api import Tables

START = 1_800_000_000_000_000
SECOND = 1_000_000


class Sweep(Command, frozen=True, kw_only=True):
    """Gives back everything that has run out."""


class Shop:
    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.now = START
        sweeping = Action(Sweep, lambda work, _: sweep(work), int)
        actions = (*ACTIONS, whole(sweeping))
        self.writer = Writer(tables, actions, SHAPES, clock=lambda: self.now)
        self.counter = Counter(self, b"a secret of thirty-two bytes ....")

    def do(self, command: Command) -> Any:
        return self.writer.do(command)

    def select(self, sql: str, parameters: Any = ()) -> list[Any]:
        return self.tables.select(sql, parameters)

    def receive(self, sku: str, place: str, amount: int) -> None:
        self.do(Receive(lines=(Entry(sku, place, amount),)))

    def wait(self, seconds: int) -> None:
        self.now += seconds * SECOND

    def rows(self, of: Any, rest: str = "") -> list[Any]:
        return [of.of(row) for row in self.tables.select(f"select {of.columns} from {of.table.name} {rest}")]

    def balance(self, sku: str, place: str, name: str = "free") -> tuple[int, int]:
        found = self.tables.select(
            "select posted, pending from account where book = 'stock' and subject = ? and name = ?",
            (f"{sku}\x1f{place}", name),
        )
        return (found[0][0], found[0][1]) if found else (0, 0)

    def facts(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(body) for (body,) in self.tables.select("select body from outbox order by id")]

    def close(self) -> None:
        self.writer.close()

    # What always holds

    def check(self) -> None:
        self._check_amounts()
        self._check_holds()
        self._check_goods()
        self._check_history()
        self._check_money()
        self._check_codes()

    def _check_codes(self) -> None:
        """Whatever lies ready for somebody has a code that works; what is over has none."""
        codes = {code.order_id for code in self.rows(CODES) if code.state == "open"}
        pickups = {pickup.order_id: pickup for pickup in self.rows(PICKUPS)}
        lying = {line.order_id for line in self.rows(LINES) if line.ready}
        for order in self.rows(ORDERS):
            if order.kind in rules.COLLECTED_KINDS and order.id in lying:
                assert order.id in codes
        assert codes == {id_ for id_, pickup in pickups.items() if pickup.code and not pickup.ended}

    def _check_amounts(self) -> None:
        parts: dict[tuple[int, int], list[Any]] = {}
        for part in self.rows(ALLOCATIONS):
            parts.setdefault((part.order_id, part.line), []).append(part)
        for line in self.rows(LINES):
            assert sum(line.amounts.values()) == line.amount
            assert min(line.amounts.values()) >= 0
            mine = parts.get((line.order_id, line.line), [])
            assert {part.place for part in mine} == set(line.place_names)
            for state in rules.SLICED:
                of_places = sum(part.amounts[state] for part in mine)
                assert of_places <= line.amounts[state]
                if state != rules.CANCELLED:  # what was never allocated is cancelled without a place
                    assert of_places == line.amounts[state]
        for order in self.rows(ORDERS):
            lines = [line.amounts for line in self.rows(LINES, f"where order_id = {order.id}")]
            assert order.state == rules.state_of(lines)

    def _check_holds(self) -> None:
        """What orders say is held is what the ledger holds for them, and nothing is below nothing."""
        held = {part.hold: part.held for part in self.rows(ALLOCATIONS) if part.hold}
        open_ = dict(
            self.tables.select("select id, remaining from hold where state = 'open' and owner like 'orders:%'")
        )
        assert held == open_
        pending = dict(self.tables.select("select debit, sum(remaining) from hold where state = 'open' group by debit"))
        for id_, posted, waiting, floor in self.tables.select("select id, posted, pending, floor from account"):
            assert waiting == pending.get(id_, 0)
            assert not floor or posted >= waiting

    def _check_goods(self) -> None:
        """What has left the stock of a place is what orders say has left it; nothing leaves before it is confirmed."""
        left: dict[str, int] = {}
        skus = {(line.order_id, line.line): line.sku for line in self.rows(LINES)}
        orders = {order.id: order for order in self.rows(ORDERS)}
        for part in self.rows(ALLOCATIONS):
            subject = f"{skus[part.order_id, part.line]}\x1f{part.place}"
            waits_elsewhere = part.ready - part.held_of(rules.READY, part.ready)
            gone = part.shipped + part.delivered + part.collected + waits_elsewhere
            left[subject] = left.get(subject, 0) + gone
            if orders[part.order_id].confirmed:
                assert not part.lost, "what ran out before the confirmation was held anew"
            else:
                assert {state for state, amount in part.amounts.items() if amount} <= set(rules.BEFORE_WORK)
        sold = dict(self.tables.select("select subject, posted from account where book = 'stock' and name = 'sold'"))
        assert {subject: amount for subject, amount in sold.items() if amount} == {
            subject: amount for subject, amount in left.items() if amount
        }

    def _check_history(self) -> None:
        """The history alone says where everything is, and takes no way that the table does not have."""
        found: dict[tuple[int, int], dict[str, int]] = {}
        for line in self.rows(LINES):
            found[line.order_id, line.line] = {**dict.fromkeys(rules.STATES, 0), rules.PLACED: line.amount}
        for entry in self.rows(HISTORY, "order by id"):
            if entry.line:
                assert (entry.was, entry.became) in rules.BY_STEP
                states = found[entry.order_id, entry.line]
                states[entry.was] -= entry.amount
                states[entry.became] += entry.amount
                assert states[entry.was] >= 0
        for line in self.rows(LINES):
            assert found[line.order_id, line.line] == line.amounts

    def _check_money(self) -> None:
        for order in self.rows(ORDERS):
            lines = self.rows(LINES, f"where order_id = {order.id}")
            assert order.total == sum(line.total for line in lines) + order.shipping + order.adjustment
            assert 0 <= order.refunded <= order.captured
            facts = self.rows(PAYMENTS, f"where order_id = {order.id}")
            assert order.captured == sum(one.counted for one in facts if one.fact == "captured")
            assert order.refunded == sum(one.counted for one in facts if one.fact == "refunded")
