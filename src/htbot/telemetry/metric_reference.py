"""`python -m htbot.telemetry.metric_reference` writes `docs/reference/metrics.md`."""

from __future__ import annotations

import sys

from htbot.telemetry.metric_names import CATALOGUE, COUNTED, Kind, Named
from htbot.telemetry.metrics import MOST_SERIES

_HEAD = f"""# Metrics

Written by `.venv/bin/python -m htbot.telemetry.metric_reference`; a test holds the page and the code equal.

`GET /metrics` needs a token of role viewer. The page is gathered at most once in five seconds, whoever asks. Counters
are counts of rows of the record, so a restart loses nothing and any process may serve them
([decision](../decisions/0021-metrics-from-the-record.md)); only what the API counts of its own calls ("process") begins
anew with it. What is not known has no sample. A metric has at most
{MOST_SERIES} label sets; what is left out is counted in `htbot_metrics_series_dropped`.

Aliases are the same samples under another name: those of the bots that htbot replaces. How to scrape, the dashboard and
the alert rules: [watching with Prometheus](../guides/prometheus.md).

Runs of tasks are counted as far as they are kept (`HTBOT_KEEP_RUNS_DAYS`). What the replaced bots told of sentiment
providers, followers, time value, backfills and the feeds of data vendors has no metric, since those parts do not exist
here. Which channel took an alert is not told: it is sent once one of them took it.

| metric | type | labels | what | from | also as |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The page."""
    return _HEAD + "".join(_row(named) for named in (*CATALOGUE, *COUNTED))


def exposed(name: str, kind: Kind) -> str:
    """The name as it stands on the page that Prometheus reads; of a histogram the common part."""
    return f"{name}_total" if kind is Kind.COUNTER else name


def _row(named: Named) -> str:
    labels = ", ".join(f"`{label}`" for label in named.labels)
    aliases = ", ".join(
        f"`{exposed(alias.name, named.kind)}`" + (f" (`{', '.join(alias.labels)}`)" if alias.labels else "")
        for alias in named.aliases
    )
    cells = (f"`{exposed(named.name, named.kind)}`", named.kind.value, labels, named.help, named.source, aliases)
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
