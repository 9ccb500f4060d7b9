"""Mutated frames of every request, and garbage, at a gateway that goes on serving a well-behaved client.

    python -m tests.fuzz.frames --frames 200000 --seed 1

The gateway is a process of its own. Nothing may crash it, keep it from answering the others in time, or make its
memory grow without end; a frame that is readable is always followed by the answer to the next request of the same
socket; after a kill its books are what its clients were told. The seed gives the same frames.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import struct
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from ib_async import LimitOrder, Stock
from tests.fuzz.requests import SPY, frame, garbage
from tests.support.paper_process import PaperProcess
from tests.support.tws_client import contract12, framed, hello, order_message

START = "2026-03-04T10:00:00-05:00"
DEADLINE_S = 30.0
_ATTACKERS = 6
_BATCH = 10
_GARBAGE_SHARE = 0.02
_GROWTH_MB = 250.0
_VERSIONS = (157, 163, 176, 178)


class Failed(AssertionError):
    """The gateway did what it must not do."""


@dataclass
class Report:
    """What was seen."""

    frames: int = 0
    sockets: int = 0
    probes: list[float] = field(default_factory=list)
    first_mb: float = 0.0
    last_mb: float = 0.0

    def lines(self) -> Iterator[str]:
        """For people."""
        slowest = max(self.probes, default=0.0)
        yield f"{self.frames:,} frames over {self.sockets:,} connections"
        yield f"{len(self.probes):,} probes of the other client answered, slowest {slowest:.2f} s"
        yield f"memory {self.first_mb:.0f} MB, at the end {self.last_mb:.0f} MB"


class Socket:
    """A connection that has started the API."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._tickets = itertools.count(1_000_000)

    @classmethod
    async def join(cls, port: int, client_id: int, version: int = 178) -> Socket:
        """Connect, greet, start, and wait for the first order id."""
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
            joined = cls(reader, writer)
            joined.send(hello(high=version) + framed(71, 2, client_id, ""))
            while (await joined.message())[0] != "9":
                pass
        return joined

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def message(self) -> list[str]:
        """The next message."""
        (length,) = struct.unpack(">I", await self._reader.readexactly(4))
        return (await self._reader.readexactly(length)).decode(errors="replace").split("\0")[:-1]

    async def answered(self) -> list[list[str]]:
        """Ask something harmless and read until its answer."""
        ticket = str(next(self._tickets))
        self.send(framed(104, ticket))
        return await self.until("107", ticket)

    async def until(self, *head: str) -> list[list[str]]:
        """Everything that comes before a message that begins so."""
        found = []
        async with asyncio.timeout(DEADLINE_S):
            while True:
                fields = await self.message()
                if fields[: len(head)] == list(head):
                    return found
                found.append(fields)

    async def ask(self, *fields: object) -> list[list[str]]:
        """A request and all that came before the next answer."""
        self.send(framed(*fields))
        return await self.answered()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Attack:
    """Sends frames from several sockets while one more client is served."""

    def __init__(self, process: PaperProcess, frames: int, seed: int) -> None:
        self._process = process
        self._left = frames
        self._seed = seed
        self.report = Report()

    async def run(self) -> Report:
        """Everything; raises `Failed` when the gateway fails."""
        witness = await Socket.join(self._process.port, 1)
        for _ in range(5):
            await witness.answered()
        self.report.first_mb = self._process.memory_mb()
        attackers = [asyncio.create_task(self._attack(number)) for number in range(_ATTACKERS)]
        watching = asyncio.create_task(self._watch(witness))
        try:
            done, _ = await asyncio.wait([*attackers, watching], return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        except (TimeoutError, EOFError, OSError) as error:
            raise Failed(
                f"after {self.report.frames} frames: {error!r}, exit code {self._process.exit_code()}"
            ) from error
        finally:
            for task in (*attackers, watching):
                task.cancel()
            await asyncio.gather(*attackers, watching, return_exceptions=True)
            await witness.close()
        self.report.last_mb = self._process.memory_mb()
        if self.report.last_mb > self.report.first_mb + _GROWTH_MB:
            raise Failed(f"memory grew from {self.report.first_mb:.0f} to {self.report.last_mb:.0f} MB")
        return self.report

    async def _watch(self, witness: Socket) -> None:
        """The well-behaved client: every answer comes in time."""
        while self._left > 0:
            began = time.monotonic()
            witness.send(framed(9, 8, 7, *contract12(SPY, exchange="SMART"), 0, "", "", ""))
            details = await witness.until("52", "1", "7")  # a busy gateway tells details when it has time
            if not any(fields[:2] == ["10", "7"] for fields in details):
                raise Failed(f"the other client was answered {details}")
            self.report.probes.append(time.monotonic() - began)
            await asyncio.sleep(0.05)

    async def _attack(self, number: int) -> None:
        dice = Random(f"{self._seed}-{number}")
        while self._left > 0:
            version = dice.choice(_VERSIONS)
            self.report.sockets += 1
            # a socket that is closed with unread bytes resets, and its id stays taken for a while
            socket = await Socket.join(self._process.port, 100 + self.report.sockets, version)
            try:
                await self._batches(socket, version, dice)
            finally:
                await socket.close()

    async def _batches(self, socket: Socket, version: int, dice: Random) -> None:
        """Readable frames, each batch followed by a question, until garbage ends the connection."""
        while self._left > 0 and dice.random() >= _GARBAGE_SHARE:
            count = min(_BATCH, self._left)
            self._left -= count
            self.report.frames += count
            data = b"".join(frame(version, dice) for _ in range(count))
            cut = dice.randrange(len(data))
            socket.send(data[:cut])
            await asyncio.sleep(0)
            socket.send(data[cut:])
            await socket.answered()
        socket.send(garbage(dice))


async def books(port: int) -> tuple[set[str], dict[str, float]]:
    """Execution ids of the day and positions, as a client is told them."""
    socket = await Socket.join(port, 1)
    executions = {row[15] for row in await socket.ask(7, 3, 5, 0, "", "", "", "", "", "") if row[0] == "11"}
    positions = {row[3]: float(row[14]) for row in await socket.ask(61, 1) if row[0] == "61" and float(row[14])}
    await socket.close()
    return executions, positions


async def attacked(process: PaperProcess, frames: int, seed: int) -> Report:
    """The attack, then a kill and a restart: an order that was acknowledged and the books are still there."""
    report = await Attack(process, frames, seed).run()
    socket = await Socket.join(process.port, 2)
    next_id = int(next(row for row in await socket.ask(8, 1, 1) if row[0] == "9")[2])
    order = order_message(next_id, Stock("SPY", "SMART", "USD", conId=SPY), LimitOrder("BUY", 1, 1.0, tif="GTC"))
    placed = [row for row in await socket.ask(*order) if row[0] == "3"]
    if not placed:
        raise Failed("an order was not acknowledged afterwards")
    await socket.close()
    before = await books(process.port)
    process.kill()
    process.start()
    after = await books(process.port)
    if not before[0] <= after[0]:
        raise Failed(f"executions were forgotten: {sorted(before[0] - after[0])[:5]}")
    if before[0] == after[0] and before[1] != after[1]:
        raise Failed(f"positions were {before[1]} and are {after[1]}")
    socket = await Socket.join(process.port, 2)
    kept = {row[6] for row in await socket.ask(5, 1) if row[0] == "3"}
    await socket.close()
    if placed[-1][6] not in kept:
        raise Failed(f"order {placed[-1][6]} was forgotten, kept are {sorted(kept)[:5]}")
    return report


def read_words(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command was called with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(words)


def main() -> int:
    """Run the attack; 0 when the gateway stood."""
    chosen = read_words()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="htbot-fuzz-") as folder:
        process = PaperProcess(Path(folder) / "state", Path(folder), start=START, seed=3, speed=1.0)
        process.start()
        try:
            report = asyncio.run(attacked(process, chosen.frames, chosen.seed))
        except Failed as error:
            print("FAILED:", error)
            return 1
        finally:
            process.kill()
    for line in report.lines():
        print(line)
    print(f"{time.monotonic() - began:.0f} s; command: python -m tests.fuzz.frames {' '.join(sys.argv[1:])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
