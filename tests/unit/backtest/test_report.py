"""The report is one file that stands alone, the same each time, and escapes what others have named."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.support.results import TRADES, a_result, a_spread, a_trade, at

from htbot.backtest.metrics import measure
from htbot.backtest.report import report_html, summary_lines, write_report
from htbot.backtest.result import BacktestResult, EquityCurve
from htbot.domain.sessions import NEW_YORK
from htbot.settings import project_root

SECTIONS = (
    *("summary", "assumptions", "run", "config", "equity", "figures", "months", "prices", "distributions", "groups"),
    *("refusals", "trades"),
)
VOID = {"meta", "link", "br", "img", "input", "hr"}
NASTY = '<script>alert("1")</script>'


class Page(HTMLParser):
    """Tags, ids, attributes and text; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.text_of: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes += named.items()
        if "id" in named:
            self.ids.append(named["id"])
        if tag not in VOID:
            self._open.append((tag, named.get("id", "")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        self.words += data
        for _, name in self._open:
            if name:
                self.text_of[name] = self.text_of.get(name, "") + data


def page(result: BacktestResult, trials: int | None = None) -> Page:
    return Page(report_html(result, measure(result), trials))


def a_long_result() -> BacktestResult:
    """Twenty years of three trades a day."""
    days = tuple(date(2003, 1, 1) + timedelta(days=step) for step in range(5000))
    start = datetime(2003, 1, 1, 10, tzinfo=NEW_YORK)
    trades = tuple(
        a_trade(
            step, start + timedelta(hours=8 * step), start + timedelta(hours=8 * step + 1), str(step * 37 % 601 - 300)
        )
        for step in range(15_000)
    )
    equity = tuple(Decimal(10_000 + step * 7919 % 5003) for step in range(5000))
    return a_result(trades=trades, curve=EquityCurve(days, equity, tuple(map(float, equity))))


def test_the_templates_are_part_of_the_package() -> None:
    root = project_root()
    patterns = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    packed = {path for pattern in patterns["htbot"] for path in (root / "src" / "htbot").glob(pattern)}
    assert set((root / "src/htbot/backtest/templates").iterdir()) <= packed


def test_every_section_is_there_once() -> None:
    shown = page(a_result())
    assert tuple(shown.ids) == SECTIONS
    assert shown.tags.count("svg") == 6


@pytest.mark.parametrize("trades", [(), TRADES[:1]])
def test_sections_stay_when_there_is_nothing_to_show(trades: tuple[()]) -> None:
    empty = page(
        a_result(trades=trades, curve=EquityCurve((), (), ()), config={}, assumptions={}, refusals={}, data=())
    )
    assert tuple(empty.ids) == SECTIONS
    assert "No sessions." in empty.text_of["equity"]
    assert "No limit refused an entry." in empty.text_of["refusals"]


def test_nothing_comes_from_anywhere_else() -> None:
    text = report_html(a_result(), measure(a_result()))
    shown = Page(text)
    assert {"script", "link", "img", "iframe", "object", "use", "image"} & set(shown.tags) == set()
    assert {name for name, _ in shown.attributes} & {"src", "href", "xlink:href", "srcset", "action"} == set()
    assert not re.search(r"https?:|//\w|url\(|@import|@font-face", text)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in shown.attributes


def test_page_one_says_how_it_came_about() -> None:
    result = a_result(engine="events", why_not="line 42: a dict", modelled_share=0.25)
    shown = page(result, 200).text_of["summary"]
    for words in (
        *("plain_breakout", "c0ffee", "+$91.00", "at the close of the bar that decided", "events, not compiled"),
        *("line 42: a dict", "25.0 %", "best of 200 trials", "spy_5m.parquet", "stop_loss_usd", "2022-03-07"),
    ):
        assert words in shown, words


def test_what_others_have_named_is_text() -> None:
    nasty = a_result(
        strategy=NASTY,
        symbol='"><img src=x>',
        data=("<b>.parquet",),
        config={NASTY: NASTY},
        assumptions={NASTY: NASTY},
        refusals={NASTY: 1},
        why_not=NASTY,
        trades=tuple(replace(trade, detail=NASTY, symbol=NASTY) for trade in TRADES),
    )
    shown = page(nasty)
    assert {"script", "img", "b"} & set(shown.tags) <= {"b"}  # the bars of the tables are <b>
    assert shown.words.count(NASTY) > 10
    assert "<b>.parquet" in shown.text_of["run"]


def test_refusals_are_told_by_rule() -> None:
    assert page(a_result()).text_of["refusals"].split() == [
        "Entries",
        "refused",
        "RuleTimes",
        "daily_loss3",
        "leverage1",
    ]


def test_amounts_have_a_true_minus_and_dates_keep_their_dash() -> None:
    shown = page(a_result()).text_of["trades"]
    assert "\N{MINUS SIGN}$302.00" in shown
    assert "-$" not in shown
    assert "2022-03-11" in shown


def test_spreads_are_told_by_credit_and_debit() -> None:
    spread = a_spread(1, at(7, 10), at(7, 11), "402", date(2022, 3, 7))
    shown = page(a_result(trades=(spread,)))
    assert "Options are drawn at the close of their session." in shown.text_of["prices"]
    assert "credit and debit per unit" in shown.text_of["trades"]
    assert "1 SPX 22-03-07 +4110P \N{MINUS SIGN}4150P" in shown.text_of["trades"]


def test_a_long_run_stays_small_and_says_what_it_leaves_out() -> None:
    text = report_html(a_long_result(), measure(a_long_result()))
    assert len(text.encode()) < 2_000_000
    shown = Page(text)
    assert "The first 200 and the last 200 of 15,000 trades" in shown.text_of["trades"]
    assert "14,600 trades between" in shown.text_of["trades"]
    assert "The last 40 sessions" in shown.text_of["prices"]


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.support.results import a_result;"
        "from htbot.backtest.metrics import measure; from htbot.backtest.report import write_report;"
        "result = a_result(); write_report(result, measure(result), Path(sys.argv[1]), 7)"
    )
    root = project_root()
    written = []
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.html"
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{root / 'src'}:{root}"}
        subprocess.run([sys.executable, "-c", program, path], env=environment, cwd=tmp_path, check=True)
        written.append(path.read_bytes())
    write_report(a_result(), measure(a_result()), tmp_path / "here.html", 7)
    assert written[0] == written[1] == (tmp_path / "here.html").read_bytes()


def test_the_terminal_shows_about_twenty_lines_in_groups() -> None:
    lines = summary_lines(a_result(), measure(a_result()))
    assert 18 <= len(lines) <= 26
    told = dict(lines)
    assert told["strategy"] == "plain_breakout on SPY, config c0ffee"
    assert told["net profit"] == "+$91.00, commissions $12.00"
    assert told["max drawdown"] == "3.00 %, $311.79 from 2022-03-10 to 2022-03-11"
    assert told["still open"] == "-$9.89"
    assert told["refused"] == "daily_loss 3, leverage 1"
    assert [number for number, line in enumerate(lines) if line == ("", "")]


def test_the_terminal_says_unknown_with_a_dash() -> None:
    empty = a_result(trades=(), curve=EquityCurve((), (), ()), refusals={}, engine="events", why_not="asked for")
    told = dict(summary_lines(empty, measure(empty)))
    assert told["win rate"] == "-, profit factor -"
    assert told["exits"] == "-"
    assert told["ran"].startswith("events (asked for), ")
    assert "refused" not in told
