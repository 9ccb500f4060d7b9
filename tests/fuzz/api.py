"""Cases made from the OpenAPI document, right ones and wrong ones, at every operation of the API.

    python -m tests.fuzz.api --cases 10000 --seed 1

The application runs in this process, in its own role of an embedded PostgreSQL, with a desk that says what it is told
to, so that what acts gets as far as it can. No answer may be a server error, take long, or have a status or a type of
content that the document does not name. The seed gives the same cases.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance
from tests.support.people import FIRST, furnish, open_market
from tests.support.postgres import PostgresServer, url_of_role

from htbot.bootstrap.install.postgres import prepare
from htbot.persistence.engine import Database
from htbot.persistence.migrations import upgrade
from htbot.settings.endpoint import API_ROLE

LONGEST_S = 10.0
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance)
HEADERS = {"Authorization": f"Bearer {FIRST}", "Host": "127.0.0.1:8000"}


@dataclass
class Report:
    """What was seen."""

    cases: int = 0
    operations: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    failures: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For people."""
        told = ", ".join(f"{status}: {count:,}" for status, count in sorted(self.statuses.items()))
        yield f"{self.cases:,} cases at {self.operations} operations: {told}"
        yield f"slowest {self.slowest[0]:.2f} s ({self.slowest[1]})"
        yield from self.failures


def fuzz(app: FastAPI, cases: int, number: int) -> Report:
    """Spread the cases over every operation, half of them right by the document and half wrong."""
    report = Report()
    app.openapi()  # made once, and not within the patience of the first question
    schema: Any = schemathesis.openapi.from_asgi("/openapi.json", app, headers=HEADERS)
    operations = [found.ok() for found in schema.get_all_operations()]
    report.operations = len(operations)
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    pairs = [(operation, mode) for operation in operations for mode in modes]
    with asgi.get_client(app) as client:
        while report.cases < cases:  # some operations take nothing and have few cases: the others make up for it
            each = max(1, (cases - report.cases) // len(pairs))
            for operation, mode in pairs:
                _attack(client, operation, mode, (each, number), report)
            number += 1
    return report


def _attack(client: Any, operation: Any, mode: GenerationMode, plan: tuple[int, int], report: Report) -> None:
    cases, number = plan

    @seed(number)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attack(case: Case) -> None:
        began = time.monotonic()
        name = f"{case.method} {case.path}"
        report.cases += 1
        try:
            response = case.call(session=client, headers=HEADERS)
        except Exception as error:  # noqa: BLE001 - the application's own, whatever it is
            report.failures.append(f"{name}: {error!r}, by {case.as_curl_command(headers=HEADERS)}")
            return
        took_s = time.monotonic() - began
        report.statuses[response.status_code] += 1
        report.slowest = max(report.slowest, (took_s, name))
        if took_s > LONGEST_S:
            report.failures.append(f"{name} took {took_s:.1f} s")
        try:
            case.validate_response(response, checks=list(CHECKS))
        except FailureGroup as group:
            report.failures += [f"{name}: {one}" for one in group.exceptions]

    with warnings.catch_warnings(), suppress(Unsatisfiable):  # what takes nothing cannot be asked wrongly
        warnings.simplefilter("ignore")
        attack()


@contextmanager
def application(url: str, folder: Path) -> Iterator[FastAPI]:
    """The API in its own role over a record whose owner has the URL, on a day with a market."""
    owner, served = Database(url), Database(url_of_role(url, API_ROLE))
    try:
        house = furnish(owner, folder, served=served)
        open_market(house)
        yield house.app()
    finally:
        served.close()
        owner.close()


def read_words(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command was called with."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.api", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(words)


def main() -> int:
    """The command."""
    chosen = read_words()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        server = PostgresServer(prepare(Path(folder) / "pg"), Path(folder) / "server.log")
        try:
            url = server.create()
            upgrade(url)
            with application(url, Path(folder)) as app:
                report = fuzz(app, chosen.cases, chosen.seed)
        finally:
            server.stop()
    for line in report.lines():
        print(line)
    print(f"{time.monotonic() - began:.0f} s; command: python -m tests.fuzz.api {' '.join(sys.argv[1:])}")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
