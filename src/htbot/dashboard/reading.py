"""One reader for all tabs: what is watched is read in a thread, each topic at its pace, however many look.

Without anybody who looks nothing is read. After an act everything that is watched is read at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from htbot.domain.errors import NotFound, Retryable

EVERY_S = 1.0
LONGEST_UNREAD_S = 5.0
"""What ends by itself, such as a halt with an end, is noticed after this long."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a topic is read, which may wait for PostgreSQL or Redis, and how often that is worth it, in seconds.

    Attributes:
        of_record: not read again while nothing was committed, unless it is `LONGEST_UNREAD_S` old.
        at_hand: in memory, so that it is told at each turn, also while another reading waits.
    """

    read: Callable[[], Any]
    every_s: float = EVERY_S
    of_record: bool = True
    at_hand: bool = False


@dataclass(frozen=True, slots=True)
class Partly:
    """What a source answers when some of its value is old, and why."""

    value: Any
    trouble: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The last value of a topic, when it was read (monotonic seconds), and why it could not be read since.

    `version` is that of the record when the reading began.
    """

    value: Any = None
    read_at_s: float | None = None
    trouble: str | None = None
    version: object = None

    def age_s(self, now_s: float) -> float | None:
        """Seconds since it was read; None before."""
        return None if self.read_at_s is None else now_s - self.read_at_s


class Reader:
    """Topics by name, looked after each `every_s` seconds.

    `version` is awaited before each turn and tells the state of the record, None when it is not known.
    """

    def __init__(
        self, sources: Mapping[str, Source], version: Callable[[], Awaitable[object]], every_s: float = EVERY_S
    ) -> None:
        self._sources = sources
        self._version = version
        self._every_s = every_s
        self._all_at_once = False
        self._watched: Counter[str] = Counter()
        self._readings = dict.fromkeys(sources, Reading())
        self._failed: dict[str, type[Exception]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None

    def __getitem__(self, topic: str) -> Reading:
        """The last reading of a topic."""
        return self._readings[topic]

    @property
    def is_reading(self) -> bool:
        """Whether anybody watches."""
        return self._task is not None and not self._task.done()

    def watch(self, topics: Iterable[str]) -> Callable[[], None]:
        """Read these topics from now on, in the running event loop; the answer ends it."""
        wanted = tuple(topics)
        self._watched.update(wanted)
        self._wake.set()
        if not self.is_reading:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="dashboard-reader")
        ended = False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                self._watched.subtract(wanted)

        return end

    def refresh(self) -> None:
        """Read everything that is watched, now: something was done."""
        self._all_at_once = True
        self._wake.set()

    async def first(self, topics: Iterable[str], patience_s: float = 2.0) -> None:
        """Wait until each of these topics was read, or could not be, as long as patience lasts."""
        wanted = [topic for topic in topics if self._readings[topic] == Reading()]
        if wanted:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(self._first(wanted))), patience_s)

    async def _first(self, topics: Iterable[str]) -> None:
        await self._read(topics, await self._version())

    async def _run(self) -> None:
        while wanted := [topic for topic, watchers in self._watched.items() if watchers > 0]:
            self._wake.clear()
            version = await self._version()
            at_hand = {topic for topic in wanted if self._sources[topic].at_hand}
            self._readings.update(self._read_all(at_hand, version))
            if self._reading is None or self._reading.done():
                due = [topic for topic in wanted if topic not in at_hand and self._is_due(topic, version)]
                self._all_at_once = False
                self._reading = asyncio.get_running_loop().create_task(self._read(due, version))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._every_s)

    def _is_due(self, topic: str, version: object) -> bool:
        """Whether it is time again; a topic in trouble is tried at each turn."""
        reading, source = self._readings[topic], self._sources[topic]
        age_s = reading.age_s(time.monotonic())
        if age_s is None or self._all_at_once or reading.trouble is not None:
            return True
        same = source.of_record and version is not None and reading.version == version
        return age_s >= (LONGEST_UNREAD_S if same else source.every_s) - self._every_s / 2

    async def _read(self, topics: Iterable[str], version: object) -> None:
        self._readings.update(await asyncio.to_thread(self._read_all, tuple(topics), version))

    def _read_all(self, topics: Iterable[str], version: object) -> dict[str, Reading]:
        return {topic: self._read_one(topic, version) for topic in topics}

    def _read_one(self, topic: str, version: object) -> Reading:
        """What cannot be read keeps its last value, and says why."""
        before = self._readings[topic]
        try:
            found = self._sources[topic].read()
        except NotFound:
            return Reading(None, time.monotonic(), version=version)
        except Retryable as error:
            return replace(before, trouble=str(error))
        except Exception as error:  # noqa: BLE001 - one topic does not take the others along (docs/decisions/0029)
            if self._failed.get(topic) is not type(error):
                self._failed[topic] = type(error)
                _log.warning("%s cannot be shown", topic, exc_info=error)
            return replace(before, trouble=f"{topic} cannot be read, the cause is in var/log/api.log")
        self._failed.pop(topic, None)
        if isinstance(found, Partly):
            return Reading(found.value, time.monotonic(), found.trouble, version)
        return Reading(found, time.monotonic(), version=version)
