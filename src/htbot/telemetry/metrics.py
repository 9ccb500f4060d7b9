"""Every metric by name: what it counts, its labels, and the other names it goes by.

The names are in Prometheus' own style under one prefix. Those of the bots that htbot replaces are kept as aliases: the
same samples a second time, so that a dashboard made for them goes on working.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.utils import floatToGoString

from htbot.telemetry.metric_names import CATALOGUE, DROPPED, Kind, Named

__all__ = ["CATALOGUE", "CONTENT_TYPE", "MOST_SERIES", "Distribution", "Gathered"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
MOST_SERIES = 200
"""Label sets of one metric on one page. More are left out and counted in `htbot_metrics_series_dropped`."""
_BY_NAME = {named.name: named for named in CATALOGUE}


@dataclass(slots=True)
class Distribution:
    """A histogram's content: how many values fell into each bucket (one more for what is beyond), and their sum."""

    counts: list[int]
    total: float = 0.0

    @classmethod
    def empty(cls, bounds: Sequence[float]) -> Distribution:
        """Nothing seen yet."""
        return cls([0] * (len(bounds) + 1))

    def add(self, other: Distribution) -> None:
        """Count what another has seen as well."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


@dataclass(slots=True)
class Gathered:
    """The samples of one page. A metric that nobody knows anything of has no sample: unknown is not zero."""

    _samples: dict[str, dict[tuple[str, ...], float]] = field(default_factory=lambda: defaultdict(dict))
    _seen: dict[str, dict[tuple[str, ...], Distribution]] = field(default_factory=lambda: defaultdict(dict))
    _left_out: int = 0

    def put(self, name: str, value: float | None, *labels: str) -> None:
        """One sample, in place of one with these labels; None is unknown and leaves no sample."""
        if value is not None and self._room(name, labels, self._samples[name]):
            self._samples[name][labels] = value

    def put_distribution(self, name: str, value: Distribution, *labels: str) -> None:
        """One histogram."""
        if self._room(name, labels, self._seen[name]):
            self._seen[name][labels] = value

    def families(self) -> Iterator[Metric]:
        """All metrics of the catalogue in its order, each followed by its aliases."""
        self.put(DROPPED, self._left_out)
        for named in CATALOGUE:
            yield self._family(named, named.name, named.labels)
            for alias in named.aliases:
                yield self._family(named, alias.name, alias.labels or named.labels)

    def _room(self, name: str, labels: tuple[str, ...], taken: Mapping[tuple[str, ...], object]) -> bool:
        if len(labels) != len(_BY_NAME[name].labels):
            raise ValueError(f"{name} has the labels {_BY_NAME[name].labels}, not {labels}")
        if labels in taken or len(taken) < MOST_SERIES:
            return True
        self._left_out += 1
        return False

    def _family(self, named: Named, name: str, labels: Sequence[str]) -> Metric:
        if named.kind is Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(name, named.help, labels=labels)
            for key, seen in sorted(self._seen[named.name].items()):
                histogram.add_metric(key, _cumulated(named.bounds, seen), seen.total)
            return histogram
        kind = CounterMetricFamily if named.kind is Kind.COUNTER else GaugeMetricFamily
        family = kind(name, named.help, labels=labels)
        for key, value in sorted(self._samples[named.name].items()):
            family.add_metric(key, value)
        return family


def _cumulated(bounds: Sequence[float], seen: Distribution) -> list[tuple[str, float]]:
    names = [*(str(floatToGoString(bound)) for bound in bounds), "+Inf"]  # type: ignore[no-untyped-call]
    running, found = 0, []
    for name, count in zip(names, seen.counts, strict=True):
        running += count
        found.append((name, float(running)))
    return found
