"""Runs every check with one client library: `python -m conformance.program CLIENT PORT`; a JSON line per result."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator

from .client import Client
from .registry import Check, Result, absent, outcome_of
from .tables import CHECKS, IDIOMS


def client_named(name: str) -> Client:
    if name.startswith("ib_"):
        from .ib_client import IbClient

        return IbClient(name)
    from .ibapi_client import IbapiClient

    return IbapiClient()


def results(name: str, port: int, only: str) -> Iterator[Result]:
    """What each check of a part comes to, in the order of the tables."""
    client = client_named(name)
    client.open(port, 5)
    for check in _chosen(CHECKS, only):
        yield outcome_of(check, client)
    client.close()
    idioms = _chosen(IDIOMS, only)
    if not name.startswith("ib_"):
        yield from map(absent, idioms)
    elif idioms:
        from .desk import Desk

        desk = Desk(importlib.import_module(name), port)
        for check in idioms:
            yield outcome_of(check, desk)
        desk.ib.disconnect()


def _chosen(checks: list[Check], only: str) -> list[Check]:
    return [check for check in checks if only in f"{check.row.part}: {check.row.request}: {check.row.behaviour}"]


if __name__ == "__main__":
    for result in results(sys.argv[1], int(sys.argv[2]), sys.argv[3]):
        print(json.dumps(result.as_json()), flush=True)
