"""Runs every check with one client library: `python -m conformance.program CLIENT PORT`; a JSON line per result."""

from __future__ import annotations

import json
import sys

from .client import Client
from .registry import outcome_of
from .tables import CHECKS


def client_named(name: str) -> Client:
    if name.startswith("ib_"):
        from .ib_client import IbClient

        return IbClient(name)
    from .ibapi_client import IbapiClient

    return IbapiClient()


def main(name: str, port: int, only: str = "") -> None:
    client = client_named(name)
    client.open(port, 5)
    for check in CHECKS:
        if only in f"{check.row.part} {check.row.request}":
            print(json.dumps(outcome_of(check, client).as_json()), flush=True)
    client.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:4])
