"""`python -m htbot.persistence.reference`: the page `docs/reference/database.md`, written from the row classes."""

from __future__ import annotations

import sys

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Table, UniqueConstraint, make_url
from sqlalchemy.schema import CreateIndex

from htbot.persistence.rows import Base

_DIALECT = make_url("postgresql+psycopg2://").get_dialect()()
_HEAD = """\
# Tables of the record

Written by `python -m htbot.persistence.reference` from the row classes in `src/htbot/persistence/rows/`; a test holds
this page, the row classes and the migrations in `alembic/` equal.

- Money is `numeric(18,6)`: dollars, or dollars per unit for prices of options. Market data and indicators are
  `double precision`. Unknown is null, never 0.
- Times are `timestamptz`. `as_of`, `known_at`, `opens`, `created_at`, `changed_at`, `set_at` and their like are market
  time, `reset_at` and the `at` of `cash_flows` too; `recorded_at`, `started_at`, `finished_at`, `ready_at`, `seen_at`,
  `sent_at`, `next_attempt_at` and the times of `api_tokens` are wall time.
- Prices of orders are signed as IB signs them (negative = receive); `credit` and `debit` are positive per unit.
- Committed rows ring: `NOTIFY htbot_intents` (ref), `htbot_tasks` (task), `htbot_commands` (id) and `htbot_halts`
  (source).
- `audit_log` and `decision_journal` refuse UPDATE, DELETE and TRUNCATE, and their rows are links of hash chains;
  `htbot audit verify` checks them. Triggers on `signals`, `risk_decisions`, `trades`, `intents`, `orders`,
  `order_perm_ids`, `fills`, `halts` and `commands` write the journal while a transaction commits.
- `desk_state` knows the keys `epoch`, `reconciled`, `world_id`, `last_instant`, `unprotected_s`, `bid_bars`, `held_by`,
  `reconnects` and `order_id:<client id>`.
"""


def page() -> str:
    """The page as Markdown."""
    docs = {mapper.local_table: mapper.class_.__doc__ or "" for mapper in Base.registry.mappers}
    tables = sorted(Base.metadata.tables.values(), key=lambda table: table.name)
    return "\n".join([_HEAD, *(_section(table, docs[table]) for table in tables)])


def _section(table: Table, doc: str) -> str:
    lines = [f"## {table.name}", "", " ".join(doc.split()), "", "| column | type | null |", "|---|---|---|"]
    lines += [f"| `{column.name}` | {_type(column)} | {'yes' if column.nullable else ''} |" for column in table.columns]
    lines += ["", *_keys(table)]
    return "\n".join([*lines, ""])


def _type(column: Column[object]) -> str:
    spelled = str(column.type.compile(dialect=_DIALECT)).lower()
    return spelled.replace("timestamp with time zone", "timestamptz").replace("float", "double precision")


def _keys(table: Table) -> list[str]:
    keys = [f"- primary key ({', '.join(column.name for column in table.primary_key.columns)})"]
    for constraint in sorted(table.constraints, key=lambda one: str(one.name)):
        if isinstance(constraint, UniqueConstraint):
            keys.append(f"- unique ({', '.join(column.name for column in constraint.columns)})")
        elif isinstance(constraint, ForeignKeyConstraint):
            target = constraint.elements[0].target_fullname
            keys.append(f"- {', '.join(constraint.column_keys)} refers to {target}")
        elif isinstance(constraint, CheckConstraint):
            keys.append(f"- check `{_condition(constraint, table)}`")
    return keys + [f"- {_index(index)}" for index in sorted(table.indexes, key=lambda one: str(one.name))]


def _condition(constraint: CheckConstraint, table: Table) -> str:
    text = str(constraint.sqltext.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))
    return text.removeprefix(f"{table.name}.")


def _index(index: Index) -> str:
    statement = str(CreateIndex(index).compile(dialect=_DIALECT))
    unique = "unique " if index.unique else ""
    return f"{unique}index `{statement.partition(f' ON {_table_of(index)} ')[2]}`"


def _table_of(index: Index) -> str:
    return "" if index.table is None else index.table.name


if __name__ == "__main__":
    sys.stdout.write(page())
