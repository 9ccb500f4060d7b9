from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Shell

DAYS = (3, 5, 6)  # of January 2022


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three sessions of five-minute bars that rise for an hour and fall for an hour."""
    path = tmp_path / "bars.csv"
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("symbol", "ts", "open", "high", "low", "close", "volume"))
        for day in DAYS:
            begin, price = datetime(2022, 1, day, 14, 30, tzinfo=UTC), 100.0
            for number in range(78):
                close = price + (0.25 if number // 12 % 2 == 0 else -0.25)
                row = (price, max(price, close), min(price, close), close, 1000)
                writer.writerow(("SPY", (begin + timedelta(minutes=5 * number)).isoformat(), *row))
                price = close
    return path


def crossings(path: Path, short: int = 5, long: int = 20) -> int:
    """Times that the short mean of the closes falls below the long one after it has risen above it."""
    closes = [float(row["close"]) for row in csv.DictReader(path.read_text().splitlines())]
    means = [
        (sum(closes[end - short : end]) / short, sum(closes[end - long : end]) / long)
        for end in range(long, len(closes) + 1)
    ]
    above = [quick > slow for quick, slow in means]
    risen = above.index(True, above.index(False))
    return sum(before and not after for before, after in pairwise(above[risen:]))


def test_a_backtest_from_file_to_json_csv_and_page(shell: Shell, data: Path, tmp_path: Path) -> None:
    table, page = tmp_path / "trades.csv", tmp_path / "page.html"
    line = ["backtest", "ma_crossover", "--data", str(data), "--symbol", "spy", "--engine", "events", "--json"]
    code, out, err = shell(*line, "--csv", str(table), "--report", str(page), "--fill", "close")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["strategy"], told["engine"], len(told["trades"])) == ("ma_crossover", "events", crossings(data))
    first = told["trades"][0]
    assert (first["symbol"], first["direction"], first["legs"][0]["side"]) == ("SPY", 1, "BUY")
    assert set(first) >= {"id", "opened_at", "closed_at", "exit_reason", "gross_pnl", "commissions", "net_pnl"}
    assert len(list(csv.DictReader(table.read_text().splitlines()))) == crossings(data) > 5
    assert "ma_crossover" in page.read_text()


def test_several_strategies_share_an_account(shell: Shell, data: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    line = ["backtest", "ma_crossover,momentum", "--data", str(data), "--fill", "close"]
    code, out, err = shell(*line, "--set", "ma_crossover.quantity=2", "--report", str(page), "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["strategy"], told["symbol"], told["engine"]) == ("ma_crossover, momentum", "SPY", "events")
    assert {trade["legs"][0]["quantity"] for trade in told["trades"] if trade["strategy"] == "ma_crossover"} == {2}
    assert len(told["closes"]["SPY"]) == len(told["curve"]["equity"]) == len(DAYS)
    assert "ma_crossover, momentum" in page.read_text()
    code, out, err = shell(*line, "--symbol", "SPY,QQQ")
    assert (code, out) == (4, "")
    assert err.endswith("bars.csv: no bars of QQQ; it has SPY\n")


def test_a_person_reads_a_summary(shell: Shell, data: Path) -> None:
    code, out, _ = shell("backtest", "ma_crossover", "--data", str(data), "--symbol", "SPY", "--engine", "events")
    assert code == 0
    assert "net profit" in out
    assert "in the event loop" in out or "events" in out


def test_without_a_name_strategies_are_listed(shell: Shell) -> None:
    code, out, err = shell("backtest")
    assert (code, err) == (0, "")
    listed, _, way_on = out.partition("\n\n")
    assert "htbot backtest NAME" in way_on
    told = {words[0]: words[1] for words in map(str.split, listed.splitlines())}
    assert len(told) == len(listed.splitlines())
    assert told.items() >= {"ma_crossover": "plain", "plain_breakout": "plain", "spx_breakout": "options"}.items()
    code, out, err = shell("backtest", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert {one["name"]: one["instruments"] for one in found} == told
    assert all(one["description"] for one in found)


def test_options_without_a_name_are_a_mistake(shell: Shell, data: Path) -> None:
    code, out, err = shell("backtest", "--data", str(data))
    assert (code, out) == (4, "")
    assert err.startswith("htbot: name a strategy: ")


FAILS = """
from htbot.domain.bars import TapeBar
from htbot.strategies.bar_strategy import WAIT, Advice, BarConfig, BarInputs, BarStrategy, Holding


class Fails(BarStrategy):
    \"\"\"Fails.\"\"\"

    name = "fails"
    Config = BarConfig

    @property
    def inputs(self) -> BarInputs:
        return BarInputs(bar_minutes=5, warm_up_bars=1)

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        {}["a"]
        return WAIT
"""


def test_a_strategy_that_fails_is_one_line(shell: Shell, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "fails.py").write_text(FAILS)
    line = ["backtest", "fails", "--data", str(data), "--engine", "events", "--set", "quantity=3"]
    code, out, err = shell(*line, HTBOT_STRATEGY_PATH=str(folder))
    assert (code, out) == (1, "")
    assert err == "htbot: fails with quantity=3: KeyError: 'a' (fails.py line 17)\n"


def test_a_strategy_on_options_without_data_and_without_a_day(shell: Shell) -> None:
    code, out, err = shell("backtest", "spx_breakout", "--symbol", "SPX")
    assert (code, out) == (4, "")
    assert err == "htbot: give --data FILE, or --start (and --end) for days of the synthetic market\n"


def test_a_strategy_on_options_over_a_file(shell: Shell, data: Path, tmp_path: Path) -> None:
    """Too few bars for a trend: a run without trades is a result too."""
    page = tmp_path / "page.html"
    line = ["backtest", "spx_breakout", "--data", str(data), "--symbol", "SPY", "--start", "2022-01-06", "--json"]
    code, out, err = shell(*line, "--report", str(page))
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["engine"], told["why_not"], told["trades"]) == ("events", "options", [])
    assert told["curve"]["days"] == ["2022-01-06"]
    assert "spx_breakout" in page.read_text()


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        (["ma_crosover"], 2, "no strategy is called ma_crosover: did you mean ma_crossover?"),
        (["ma_crossover", "--set", "shrt_window=3"], 4, "unknown setting shrt_window: did you mean short_window?"),
        (["ma_crossover", "--set", "short_window=0"], 4, "short_window=0 is out of range"),
        (["ma_crossover", "--set", "short_window"], 4, "--set short_window: write name=value"),
        (["ma_crossover", "--limit", "levrage=2"], 4, "unknown limit levrage: did you mean leverage?"),
        (["ma_crossover", "--symbol", "QQQ"], 4, "no bars of QQQ; it has SPY"),
        (["ma_crossover", "--cash", "lots"], 4, "--cash lots: an amount of USD"),
        (["ma_crossover", "--cash", "100000000000000"], 4, "--cash 100000000000000: at most 1,000,000,000,000 USD"),
        (
            ["ma_crossover", "--start", "2022-01-06", "--end", "2022-01-03"],
            4,
            "--end 2022-01-03 is before --start 2022-01-06",
        ),
        (["ma_crossover", "--start", "2023-01-01"], 4, "no session of SPY from 2023-01-01 on"),
        (["ma_crossover", "--set", "bar_minutes=1"], 4, "bars of 5 minutes: --set bar_minutes=5"),
        (["ma_crossover", "--csv", "/no/where.csv"], 4, "/no/where.csv: no such folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_are_one_line(shell: Shell, data: Path, line: list[str], code: int, told: str) -> None:
    symbol = [] if "--symbol" in line else ["--symbol", "SPY"]
    found, out, err = shell("backtest", *line, "--data", str(data), *symbol, "--engine", "events")
    assert (found, out) == (code, "")
    assert told in err
    assert err.count("\n") == 1


def test_no_data_is_said(shell: Shell) -> None:
    code, _, err = shell("backtest", "ma_crossover")
    assert (code, err) == (4, "htbot: a backtest needs data: --data FILE (Parquet or CSV)\n")
