"""Computed traits of all people at once: the same definitions as SQL over the open history.

Needs two relations: `events` (position, id, source, channel, type, name, occurred, received, subject, traits,
properties, context; the last three JSON text, times in microseconds) and `identifiers` (id, person). Each step can be
printed and run alone; `prepare` makes the three macros that the steps share.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
import msgspec

from cauce.model import DAY, DECISION
from cauce.profiles import rules
from cauce.profiles.computed import FLATTEN, NUMERIC, ZERO, steps_of
from cauce.profiles.definitions import Condition, Definition

MACROS = (
    # Whole numbers multiply as integers, because a double would round them; compare `rules.micros_of`.
    f"""create or replace temp macro cauce_micros(value) as case json_type(value)
        when 'UBIGINT' then case when try_cast(value ->> '$' as bigint) <= {rules.NUMBER_MAX}
            then try_cast(value ->> '$' as bigint) * {rules.MILLION} end
        when 'BIGINT' then case when try_cast(value ->> '$' as bigint) >= -{rules.NUMBER_MAX}
            then try_cast(value ->> '$' as bigint) * {rules.MILLION} end
        when 'DOUBLE' then case when abs(cast(value ->> '$' as double)) <= 1e12
            then cast(floor(cast(value ->> '$' as double) * 1e6 + 0.5) as bigint) end
        end""",
    # Compare `rules.text_of`.
    f"""create or replace temp macro cauce_text(value) as case json_type(value)
        when 'VARCHAR' then '"' || left(value ->> '$', {rules.TEXT_CHARACTERS_MAX})
        when 'BOOLEAN' then value ->> '$'
        when 'UBIGINT' then cast(try_cast(value ->> '$' as bigint) as varchar)
        when 'BIGINT' then cast(try_cast(value ->> '$' as bigint) as varchar)
        when 'DOUBLE' then case when cauce_micros(value) % {rules.MILLION} = 0
            then cast(cauce_micros(value) // {rules.MILLION} as varchar) else cauce_micros(value) || 'e-6' end
        end""",
    f"""create or replace temp macro cauce_day(occurred) as
        (occurred - ((occurred % {DAY}) + {DAY}) % {DAY}) // {DAY}""",
)


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the macros of the steps in this connection."""
    for macro in MACROS:
        connection.execute(macro)


def compute(
    connection: duckdb.DuckDBPyConnection, definitions: Iterable[Definition], now: int
) -> dict[int, dict[str, Any]]:
    """Values of all computed traits by person, for every person in `identifiers`; the same as the live ones at `now`.

    Loads all of it into memory; for very many people run `traits_sql` and page through its rows.
    """
    prepare(connection)
    ordered = tuple(definitions)
    people = connection.execute("select distinct person from identifiers").fetchall()
    values: dict[int, dict[str, Any]] = {
        int(person): {each.name: empty_value(each) for each in ordered} for (person,) in people
    }
    for definition in ordered:
        for person, value in connection.execute(value_sql(definition, now)).fetchall():
            values[int(person)][definition.name] = msgspec.json.decode(value)
    return values


def traits_sql(definitions: Iterable[Definition], now: int) -> str:
    """One query for (person, name, value as JSON text) of all traits; people without observations are left out."""
    parts = [f"select person, {_text(each.name)} as name, value from ({value_sql(each, now)})" for each in definitions]
    return "\nunion all\n".join(parts) or "select 0::bigint as person, '' as name, '' as value where false"


def empty_value(definition: Definition) -> Any:
    """The value for somebody of whom nothing was observed."""
    return [] if definition.compute == "list" else 0 if definition.compute in ZERO else None


def value_sql(definition: Definition, now: int) -> str:
    """A query for (person, value as JSON text) of everybody of whom something was observed."""
    return f"with observed as (\n{observed_sql(definition, now)}\n)\n{_AGGREGATES[definition.compute](definition, now)}"


def observed_sql(definition: Definition, now: int) -> str:
    """A query for (person, occurred, value): what the events said, before it is added up."""
    observed = _observations_sql(definition)
    if not definition.window_days:
        return observed
    kept_days = definition.window_days + rules.DAYS_KEPT_BEYOND_WINDOW
    today = now // DAY
    # The first condition is what live strands forget: days that lie too long before the latest one.
    return f"""select person, occurred, value from (
  select *, cauce_day(occurred) as day, max(cauce_day(occurred)) over (partition by person) as latest from ({observed})
) where day > latest - {kept_days} and day > {today - definition.window_days} and day <= {today}"""


def _observations_sql(definition: Definition) -> str:
    filters = _filters(definition)
    source = f"from events join identifiers on identifiers.id = events.subject where {filters}"
    if not definition.property:
        return f"select identifiers.person as person, events.occurred as occurred, 1 as value {source}"
    expression, many = _value_expression(definition.property)
    macro = "cauce_micros" if definition.compute in NUMERIC else "cauce_text"
    each = f"unnest({expression})" if many else expression
    return f"""select person, occurred, {macro}(found) as value from (
  select identifiers.person as person, events.occurred as occurred, {each} as found {source}
) where {macro}(found) is not null"""


def _filters(definition: Definition) -> str:
    tests = [f"events.type <> {_text(DECISION)}"]
    for column, allowed in (("name", definition.events), ("type", definition.types), ("channel", definition.channels)):
        if allowed:
            tests.append(f"events.{column} in ({', '.join(map(_text, allowed))})")
    tests += map(condition_sql, definition.where)
    return "\n  and ".join(tests)


def condition_sql(condition: Condition) -> str:
    """A condition as SQL that is true or false, never null; compare `computed.test_of`."""
    expression, many = _value_expression(condition.property)
    test, wanted = _predicate("element" if many else expression, condition)
    if many:
        test = f"len(list_filter({expression}, lambda element: coalesce({test}, false))) > 0"
    return f"coalesce({test}, false)" if wanted else f"not coalesce({test}, false)"


def _predicate(value: str, condition: Condition) -> tuple[str, bool]:
    op, wanted = condition.op, condition.value
    if op in ("eq", "ne", "in", "not_in"):
        several = wanted if isinstance(wanted, list | tuple) else (wanted,)
        texts = [_text(text) for text in map(rules.text_of, several) if text is not None]
        return f"cauce_text({value}) in ({', '.join(texts)})" if texts else "false", op in ("eq", "in")
    if op == "exists":
        return f"json_type({value}) <> 'NULL'", bool(wanted)
    if op == "contains":
        return f"(json_type({value}) = 'VARCHAR' and contains({value} ->> '$', {_text(wanted)}))", True
    sign = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}[op]
    if isinstance(wanted, str):
        return f"(json_type({value}) = 'VARCHAR' and ({value} ->> '$') {sign} {_text(wanted)})", True
    bound = rules.micros_of(wanted)
    return ("false" if bound is None else f"cauce_micros({value}) {sign} {bound}"), True


def _value_expression(path: str) -> tuple[str, bool]:
    """JSON under a path, and whether it is a list of them."""
    root, steps = steps_of(path)
    if root == "event":
        return f"to_json(events.{steps[0]})", False
    located = "$" + "".join("[*]" if step == FLATTEN else f'."{step}"' for step in steps)
    return f"json_extract(events.{root}, {_text(located)})", FLATTEN in steps


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


# ── From observations to values ───────────────────────────────────────────────────────────────────────────────────────

_NUMBER = f"""case when {{micros}} % {rules.MILLION} = 0 then cast({{micros}} // {rules.MILLION} as varchar)
  else cast(cast(cast({{micros}} as varchar) as double) / 1e6 as varchar) end"""
"""Millionths as a JSON number; through text, because only text becomes the nearest double from any integer."""
_VALUE = """case when {text} like '"%' then cast(to_json(substr({text}, 2)) as varchar)
  when {text} like '%e-6' then cast(cast(left({text}, length({text}) - 3) as double) / 1e6 as varchar)
  else {text} end"""
"""The JSON of the value whose `rules.text_of` is given."""


def _grouped(value: str) -> str:
    return f"select person, {value} as value from observed group by person"


def _count(_definition: Definition, _now: int) -> str:
    return _grouped("cast(count(*) as varchar)")


def _sum(_definition: Definition, _now: int) -> str:
    return (
        f"select person, {_NUMBER.format(micros='total')} as value from ({_grouped_as('sum(cast(value as hugeint))')})"
    )


def _average(_definition: Definition, _now: int) -> str:
    total = "cast(cast(sum(cast(value as hugeint)) as varchar) as double)"
    return _grouped(f"cast({total} / 1e6 / count(*) as varchar)")


def _extreme(definition: Definition, _now: int) -> str:
    return (
        f"select person, {_NUMBER.format(micros='total')} as value from ({_grouped_as(f'{definition.compute}(value)')})"
    )


def _grouped_as(value: str) -> str:
    return f"select person, {value} as total from observed group by person"


def _edge(definition: Definition, _now: int) -> str:
    order = "asc" if definition.compute == "first" else "desc"
    ranked = f"row_number() over (partition by person order by occurred {order}, value {order})"
    return f"""select person, {_VALUE.format(text="value")} as value from (
  select person, value, {ranked} as place from observed
) where place = 1"""


def _sampled() -> str:
    """(person, value, count, hash, place): distinct values by their hashes; strands keep the first of them."""
    return """select *, row_number() over (partition by person order by hash) as place,
    count(*) over (partition by person) as distinct_values
  from (select person, value, count(*) as times, md5(value) as hash from observed group by person, value)"""


def _most_frequent(_definition: Definition, _now: int) -> str:
    return f"""select person, {_VALUE.format(text="value")} as value from (
  select person, value, row_number() over (partition by person order by times desc, value) as rank
  from ({_sampled()}) where place <= {rules.SAMPLE_VALUES}
) where rank = 1"""


def _unique_count(_definition: Definition, _now: int) -> str:
    hashes = float(2 ** (4 * rules.HASH_HEXADECIMALS))
    estimate = (
        f"cast(floor({rules.SAMPLE_VALUES - 1} * {hashes!r}::double / "
        f"(('0x' || left(max(hash), {rules.HASH_HEXADECIMALS}))::bigint + 1) + 0.5) as bigint)"
    )
    return f"""select person, cast(case when max(distinct_values) <= {rules.SAMPLE_VALUES} then max(distinct_values)
  else {estimate} end as varchar) as value
from ({_sampled()}) where place <= {rules.SAMPLE_VALUES} group by person"""


def _list(definition: Definition, _now: int) -> str:
    values = f"string_agg({_VALUE.format(text='value')}, ',' order by place)"
    return f"""select person, '[' || {values} || ']' as value from (
  select *, row_number() over (partition by person order by latest desc, value desc) as place
  from (select person, value, max(occurred) as latest from observed group by person, value)
) where place <= {definition.limit} group by person"""


def _days_since(_definition: Definition, now: int) -> str:
    # Integer division truncates towards zero, so moments after `now` are cut to 0 first.
    return _grouped(f"cast(greatest(0, {now} - max(occurred)) // {DAY} as varchar)")


_AGGREGATES = {
    "count": _count,
    "sum": _sum,
    "average": _average,
    "min": _extreme,
    "max": _extreme,
    "first": _edge,
    "last": _edge,
    "most_frequent": _most_frequent,
    "unique_count": _unique_count,
    "list": _list,
    "days_since": _days_since,
}
