"""What the real stack did with strategies on shares on a day of real data: recorded once, held against the backtest.

A day of five strategies takes the stack minutes. The first line of a file says what was played: data, settings, seats.
Record a day anew, from the project's folder, with a first line that is there already:

    python -m tests.golden.plain_days shares-2022-08-26
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.golden.parity_days import FOLDER, lines
from tests.support.shared_data import shared_file

from htbot.backtest.plain_request import PlainRequest, Seat
from htbot.backtest.terms import Terms
from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.demo import BEFORE_OPEN, DemoOptions, run
from htbot.bootstrap.limits import breaker_limits, plain_limits
from htbot.bootstrap.paper import PaperOptions, build_market
from htbot.domain.sessions import Session
from htbot.paper.gateway import account_number
from htbot.persistence.records import TRADE
from htbot.services.strategies import NewStrategy
from htbot.settings import Settings, load_settings
from htbot.strategies.registry import create_bar


def recorded(name: str) -> tuple[dict[str, Any], list[str]]:
    """What was played, and what the stack did."""
    first, *rest = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads(first), rest


def request_of(played: dict[str, Any], folder: Path) -> tuple[PlainRequest, Session]:
    """The backtest of a recorded day, and its session."""
    day, settings = date.fromisoformat(played["day"]), _settings(played, folder)
    paper = PaperOptions(
        state_dir=folder,
        market="replay",
        data=(shared_file(f"market/{played['data']}"),),
        symbol=played["symbol"],
        start=day,
    )
    market = build_market(paper, day)
    session = market.sessions.on(day)
    assert session is not None
    types = strategies(settings)
    seats = [
        Seat(
            one["name"],
            one["symbol"],
            partial(create_bar, one["type"], one["settings"], types),
            datetime.fromisoformat(one["first_bar"]),
            datetime.fromisoformat(one["since"]),
        )
        for one in played["seats"]
    ]
    request = PlainRequest(
        seats=tuple(seats),
        terms=Terms(
            market=market,
            first=day,
            last=day,
            account=account_number(market.world_id),
            cash_usd=settings.paper.cash,
            breaker=breaker_limits(settings),
            latency_s=0.0,
            enabled_after=session.opens,
            told_from=session.opens - BEFORE_OPEN,
        ),
        limits_of=partial(plain_limits, settings),
    )
    return request, session


def _settings(played: dict[str, Any], folder: Path) -> Settings:
    return load_settings(folder, {"HTBOT_ENV_FILE": os.devnull, "HTBOT_SYMBOL": played["symbol"], **played["settings"]})


def main(arguments: list[str]) -> None:
    """Play a day through the stack and write down what it did."""
    name = arguments[0]
    asked, _ = recorded(name)
    instances = tuple(
        NewStrategy(one["name"], one["type"], one["symbol"], one["settings"], enabled=True, mode=TRADE)
        for one in asked["seats"]
    )
    played = run(
        DemoOptions(
            data=(shared_file(f"market/{asked['data']}"),),
            day=date.fromisoformat(asked["day"]),
            symbol=asked["symbol"],
            instances=instances,
            settings=asked["settings"],
        )
    )
    names = {one.name for one in instances}
    series = {(one.symbol, one.minutes) for one in played.record.seats}
    write(name, asked, lines(played.record.only(names, series), played.session, without={}))


def write(name: str, asked: dict[str, Any], told: list[str]) -> None:
    """Keep a day."""
    text = "".join(f"{line}\n" for line in (json.dumps(asked), *told))
    (FOLDER / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
