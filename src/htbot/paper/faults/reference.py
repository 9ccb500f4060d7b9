"""`python -m htbot.paper.faults.reference` prints `docs/reference/paper-faults.md`: every fault with its fields."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import Field, fields
from typing import Any

from htbot.paper.faults.kinds import KINDS, Event, Fault, OrderFault
from htbot.paper.faults.reading import reader_of
from htbot.paper.faults.values import shown

_HEAD = """\
# Faults

Written by `python -m htbot.paper.faults.reference` from `src/htbot/paper/faults/kinds.py`; a test holds this page and
the code equal.

What may go wrong between a program and IB, made to happen in the paper gateway: by a script, by command, or through the
control port. A fault meets orders (`times` of them, 1 unless told otherwise) or happens at its time. All seconds are
market time. In a stepped world (`--speed max`) the same script makes the same day, byte for byte.

## A script

A YAML list. Each entry names a fault and its fields; `at` is a New York time of day, which means its next occurrence on
a session day, or an ISO time. Without `at` a fault counts from the beginning.

```yaml
- fault: outage
  at: 10:32:30
  for_s: 90
  data: lost
- fault: reject
  symbol: SPY
  above: 100
  times: always
- fault: restart
  at: 23:45
  daily: yes
  ids_back: 4
```

```bash
htbot paper --faults bad_day.yaml
```

`PAPER_FAULTS` is the same as a setting. A mistake is told with file, line and rule, and nothing starts. A restarted
gateway goes on in the middle of its script: counts, held orders and outages are kept with the books, in the same
transaction. What a new script wants at a time that is over does not happen; a start without a script ends the last
one. The control port outlives a `restart`.

## By command

```bash
htbot paper --control-port 0
```

In another shell:

```bash
htbot paper fault add reject symbol=SPY above=100 times=2
htbot paper fault list
htbot paper fault status
htbot paper fault clear 1
```

`htbot paper fault clear` without a number removes every fault and ends an outage. A fault without `at` counts at once.

## The control port

`--control-port` or `PAPER_CONTROL_PORT`; 0 means any free port. It listens on 127.0.0.1 and nowhere else. Port and
token stand in `control.json` of the gateway's state folder, readable by its owner alone, while the gateway runs; the
token is a fresh one for each start unless `PAPER_CONTROL_TOKEN` is set.

One JSON object a line is asked and answered. Every value of a field is text.

```json
{"token": "...", "do": "add", "fault": "reject", "fields": {"symbol": "SPY", "times": "2"}}
{"token": "...", "do": "list"}
{"token": "...", "do": "status"}
{"token": "...", "do": "clear", "number": 1}
```

Answers are `{"ok": true, "result": ...}` and `{"ok": false, "error": "one line"}`. A wrong token, or a line that is no
request, closes the connection.
"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    for title, family, kinds in (
        ("Faults of orders", OrderFault, _kinds(OrderFault)),
        ("Faults of connections", Event, _kinds(Event)),
    ):
        yield f"## {title}\n"
        common = {field.name for field in fields(family)}
        yield f"Every one of them has {', '.join(f'`{name}`' for name in sorted(common))}:\n"
        yield from _table(fields(family))
        for kind in kinds:
            yield f"### {kind.name}\n"
            yield f"{kind.effect}\n"
            yield f"```bash\nhtbot paper fault add {kind.name} {kind.example}\n```\n"
            own = [field for field in fields(kind) if field.name not in common]
            if own:
                yield from _table(own)


def _kinds(family: type[Fault]) -> list[type[Fault]]:
    return [kind for kind in KINDS.values() if issubclass(kind, family)]


def _table(rows: Iterable[Field[Any]]) -> Iterator[str]:
    yield "| field | takes | default | meaning |"
    yield "|---|---|---|---|"
    for row in rows:
        default = "" if row.default is None else f"`{shown(row.default)}`"
        yield f"| `{row.name}` | {reader_of(row).allowed} | {default} | {row.metadata['meaning']} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(page())
