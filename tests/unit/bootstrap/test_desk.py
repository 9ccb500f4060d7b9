from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
from tests.support.desk import SESSION

from htbot.bootstrap.demo import DemoOptions, _environ
from htbot.bootstrap.desk import DeskWorld, desk_world, history_days, trading_hours, underlying_of
from htbot.bootstrap.strategy import build_strategy
from htbot.marketdata.clock_state import Mode
from htbot.settings import Settings, load_settings


def settings(tmp_path: Path, **environ: str) -> Settings:
    return load_settings(tmp_path, environ)


@pytest.mark.parametrize(
    ("speed", "world"),
    [("max", DeskWorld(Mode.STEPPED, None)), ("1", DeskWorld(Mode.PAPER, 1.0)), ("30", DeskWorld(Mode.PAPER, 30.0))],
)
def test_the_paper_gateway_is_stepped_at_full_speed_and_paced_otherwise(
    tmp_path: Path, speed: str, world: DeskWorld
) -> None:
    assert desk_world(settings(tmp_path, PAPER_SPEED=speed)) == world


@pytest.mark.parametrize("minutes", [1, 2, 5, 15, 30])
def test_history_has_six_hundred_bars_even_with_a_short_day(minutes: int) -> None:
    """RULINGS 20."""
    days, per_session, per_half = history_days(minutes), 390 // minutes, 210 // minutes
    assert (days - 2) * per_session + per_half >= 600
    assert (days - 3) * per_session < 600


def test_a_bar_of_a_whole_session_is_one_a_day() -> None:
    assert history_days(1440) == 602


def test_hours_and_underlying_are_the_configured_ones(tmp_path: Path) -> None:
    chosen = settings(tmp_path, HTBOT_SYMBOL="QQQ")
    hours = trading_hours(chosen)
    assert (hours.entry_start, hours.entry_end) == (time(10), time(15))
    assert underlying_of(chosen).symbol == "QQQ"
    assert build_strategy(chosen).needs.symbol == "QQQ"


def test_the_demo_touches_nothing_of_the_instance_that_trades(tmp_path: Path) -> None:
    foreign = {
        "DATABASE_URL": "postgresql://live",
        "REDIS_URL": "redis://live",
        "IB_HOST": "10.0.0.1",
        "IB_ACCOUNT": "U1",
        "SMTP_SERVER": "mail",
        "KILL_SWITCH_FILE": "/live/STOP",
        "PAPER_SEED": "99",
        "HTBOT_API_TOKEN": "secret",
        "TRADING_MODE": "live",
        "PATH": "/bin",
        "HTBOT_QUANTITY": "2",
    }
    environ = _environ(DemoOptions(symbol="SPX", environ=foreign), tmp_path, [SESSION])
    assert (environ["PATH"], environ["HTBOT_QUANTITY"]) == ("/bin", "2")
    left = {name for name, value in environ.items() if foreign.get(name) == value}
    assert left == {"PATH", "HTBOT_QUANTITY"}
    assert (environ["KILL_SWITCH_FILE"], environ["HTBOT_VAR_DIR"]) == (str(tmp_path / "STOP"), str(tmp_path))
    assert environ["HTBOT_ENV_FILE"] == "/dev/null"
    assert (environ["PAPER_START"], environ["PAPER_END"]) == ("2022-08-26T13:25:00+00:00", "2022-08-26T20:05:00+00:00")
    assert environ["HTBOT_API_PORT"] != environ["PAPER_PORT"]
