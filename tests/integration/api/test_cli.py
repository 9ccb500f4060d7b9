"""The command line over a real record; Redis is away."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support import plain, record

from htbot.cli.main import run
from htbot.domain.trades import TradeState
from htbot.persistence.engine import Database
from htbot.persistence.records import Account
from htbot.persistence.repositories import (
    AccountRepository,
    CommandRepository,
    EvaluationRepository,
    IntentRepository,
    RiskDecisionRepository,
    SignalRepository,
    TaskRunRepository,
    TradeRepository,
)
from htbot.persistence.states import CommandState
from htbot.services.versions import Version, own_version, register

Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shell(
    database: Database,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    monkeypatch.setenv("HTBOT_ENV_FILE", os.devnull)
    monkeypatch.setenv("HTBOT_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("KILL_SWITCH_FILE", str(tmp_path / "STOP"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def traded(database: Database) -> None:
    """One trade is opening."""
    trade = record.trade()
    with database.transaction() as session:
        AccountRepository(session).upsert(Account(record.ACCOUNT, "main", record.WORLD, "paper", record.NOON))
        EvaluationRepository(session).add(record.evaluation())
        signal_id = SignalRepository(session).add(record.signal(), None)
        RiskDecisionRepository(session).add(record.approval(), signal_id)
        TradeRepository(session).add(trade)
        IntentRepository(session).add(record.entry(trade))
        TaskRunRepository(session).begin("read_market", "all", record.NOON)


def parsed(told: tuple[int, str, str]) -> Any:
    code, out, err = told
    assert (code, err) == (0, "")
    return json.loads(out)


def test_strategies_from_the_command_line(shell: Shell) -> None:
    made = parsed(
        shell(
            "strategies", "add", "fast", "--type", "ma_crossover", "--symbol", "spy", "--set", "long_window=9", "--json"
        )
    )
    assert (made["symbol"], made["settings"], made["enabled"], made["mode"]) == (
        "SPY",
        {"long_window": 9},
        False,
        "observe",
    )
    assert parsed(shell("strategies", "enable", "fast", "--json"))["enabled"] is True
    changed = parsed(shell("strategies", "set", "fast", "short_window=3", "--unset", "long_window", "--json"))
    assert changed["settings"] == {"short_window": 3}
    shown = parsed(shell("strategies", "show", "fast", "--json"))
    assert (shown["in_force"]["short_window"], shown["in_force"]["long_window"]) == (3, 20)
    (listed,) = parsed(shell("strategies", "list", "--json"))
    assert (listed["name"], listed["as_of"], listed["why_not"]) == ("fast", None, None)
    assert parsed(shell("strategies", "disable", "fast", "--json"))["enabled"] is False
    assert parsed(shell("strategies", "remove", "fast", "--json")) == {"removed": "fast"}
    assert [one["name"] for one in parsed(shell("strategies", "types", "ma_crossover", "--json"))] == ["ma_crossover"]


def test_strategies_are_printed_for_people(shell: Shell) -> None:
    code, out, _ = shell("strategies", "add", "fast", "--type", "ma_crossover", "--symbol", "SPY")
    assert (code, out.splitlines()[-1]) == (0, "it is disabled: htbot strategies enable fast")
    assert "fast, a ma_crossover on SPY, bars of 5 min" in out
    for command in ("list", "show", "types"):
        code, out, err = shell("strategies", command, *(["fast"] if command == "show" else []))
        assert (code, err) == (0, "")
        assert "fast" in out or "ma_crossover" in out


def test_a_type_is_explained_setting_by_setting(shell: Shell) -> None:
    code, out, err = shell("strategies", "types", "ma_crossover")
    assert (code, err) == (0, "")
    told = {line.split("  ")[0]: line for line in out.splitlines()}
    assert "crosses that of long_window" in told["Enters"]
    for words in ("5", "1 to 500", "bars", "closes of the short mean"):
        assert words in told["short_window"]
    assert ("none" in told["exit_time"], "New York time" in told["exit_time"]) == (True, True)
    assert "HH:MM" in told["entry_start"]
    assert "09:30 " in told["entry_start"]
    listed = shell("strategies", "types")[1]
    for one in parsed(shell("strategies", "types", "--json")):
        assert one["description"] in listed
        assert all(setting["meaning"] for setting in one["settings"]), one["name"]


def test_a_pause_and_the_instances_stand_in_the_status(shell: Shell, traded: None) -> None:
    shell("strategies", "add", "fast", "--type", "ma_crossover", "--symbol", "SPY", "--enable")
    shell("strategies", "add", record.STRATEGY + ".2", "--type", "range_bound", "--symbol", "QQQ")
    status = parsed(shell("status", "--json"))
    assert status["scheduler"]["state"] == "running"
    names = ("name", "type", "symbol", "mode", "enabled", "state")
    assert [tuple(one[name] for name in names) for one in status["instances"]] == [
        ("fast", "ma_crossover", "SPY", "observe", True, "new"),
        (f"{record.STRATEGY}.2", "range_bound", "QQQ", "observe", False, "disabled"),
    ]
    code, out, _ = shell("scheduler", "pause")
    assert code == 0
    assert out.startswith("the scheduler is paused. Strategies are asked and every entry is refused.")
    out = shell("status")[1]
    assert [line for line in out.splitlines() if line.startswith("Scheduler") and "paused by cli:" in line]
    (line,) = (line for line in out.splitlines() if line.startswith("fast"))
    assert [word in line for word in ("ma_crossover", "SPY", "observe", "new")] == [True] * 4


def test_an_instance_whose_trade_is_not_over_says_so(shell: Shell, traded: None, database: Database) -> None:
    shell("strategies", "add", "held", "--type", "vertical_spread", "--symbol", "SPY")
    with database.transaction() as session:
        TradeRepository(session).add(record.trade(2, strategy="held"))
    (held,) = parsed(shell("status", "--json"))["instances"]
    assert (held["enabled"], held["state"]) == (False, "in_trade")


def test_the_scheduler_from_the_command_line(shell: Shell) -> None:
    assert parsed(shell("scheduler", "pause", "--key", "k1", "--json"))["state"] == "paused"
    assert parsed(shell("scheduler", "resume", "--json"))["state"] == "running"
    assert parsed(shell("scheduler", "pause", "--key", "k1", "--json"))["state"] == "paused"
    assert parsed(shell("scheduler", "status", "--json"))["state"] == "running", "a key acts once"
    assert parsed(shell("scheduler", "stop", "--json"))["state"] == "stopped"
    code, out, err = shell("scheduler", "resume")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "start it" in err
    code, out, _ = shell("scheduler", "status")
    assert code == 0
    assert "stopped by cli:" in out
    assert "no: the scheduler is stopped" in out
    assert "0, 0 refused, 0 observed" in out
    assert parsed(shell("scheduler", "start", "--json"))["state"] == "running"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("add fast --type ma_crosover --symbol SPY", 2, "did you mean ma_crossover?"),
        ("add fast --type ma_crossover --symbol SPY --set long_windo=9", 4, "did you mean long_window?"),
        ("add fast --type ma_crossover --symbol SPY --set long_window", 4, "write name=value"),
        ("enable fsat", 2, "did you mean fast?"),
        ("set fast long_window=1", 4, "long_window=1 is out of range: 2 to 1000"),
        ("add a --type strangle_momentum --symbol SPY --set call_indx=3", 4, "did you mean call_index?"),
    ],
)
def test_a_mistake_about_strategies_is_one_line(shell: Shell, line: str, code: int, words: str) -> None:
    shell("strategies", "add", "fast", "--type", "ma_crossover", "--symbol", "QQQ")
    told, out, err = shell("strategies", *line.split())
    assert (told, out) == (code, "")
    assert words in err
    assert err.count("\n") == 1


def test_reads_print_the_same_shapes_as_the_api(shell: Shell, traded: None) -> None:
    assert [trade["id"] for trade in parsed(shell("trades", "--json"))] == [record.trade().id]
    (signal,) = parsed(shell("signals", "--json"))
    assert (signal["ts"], signal["direction"], signal["accepted"]) == ("2022-08-26T16:00:00Z", 1, True)
    status = parsed(shell("status", "--json"))
    assert status["open_trade"]["state"] == "opening"
    assert status["connection"] == "unknown: redis does not answer"
    for command in ("positions", "orders", "fills", "alerts"):
        assert parsed(shell(command, "--json")) == []
    assert parsed(shell("pnl", "--json", "--day", "2022-08-26"))["day"]["net"] == "0.00"
    assert parsed(shell("account", "--json"))["account"] == record.ACCOUNT


def test_reads_for_people(shell: Shell, traded: None, database: Database) -> None:
    code, out, _ = shell("status")
    assert code == 0
    for words in ("Trend", "inside the day's range", "SELL 1 SPX 2022-08-26 4150P", "read_market", "Halt"):
        assert words in out
    facts = [line.split("  ", 1) for line in out.splitlines() if line.startswith(("Trend", "Last signal"))]
    assert [told[1].split()[0] for told in facts] == ["up", "2022-08-26"]
    assert " up accepted: " in facts[1][1]
    heads, run_row = (line for line in out.splitlines() if line.startswith(("task ", "read_market")))
    assert "last run, market time" in heads
    assert "2022-08-26 12:00:00" in run_row
    (signal,) = (line for line in shell("signals")[1].splitlines() if record.STRATEGY in line)
    assert signal.split()[2] == record.ACCOUNT
    assert signal.split()[5:10] == ["up", "4160", "4160.5", "up", "accepted"]
    with database.transaction() as session:
        SignalRepository(session).add(record.signal(4170.0, observed=True, trend=0), "observe")
    assert [" observed " in line for line in shell("signals")[1].splitlines() if record.STRATEGY in line] == [
        False,
        True,
    ]
    (watched,) = (line.split() for line in shell("signals")[1].splitlines() if " observed " in line)
    assert watched[watched.index("observed") - 1] == "-", "one without a trend is not flat"
    assert "Positions: none" in shell("positions")[1]
    (heads,) = (line for line in shell("trades")[1].splitlines() if line.startswith("id "))
    assert heads.split()[4:6] == ["entry_price", "exit_price"]
    for command in ("trades", "signals", "orders", "fills", "alerts", "pnl", "account"):
        assert shell(command)[0] == 0, command


def test_every_open_trade_is_printed_with_its_exit_time_and_its_deadline(
    shell: Shell, traded: None, database: Database
) -> None:
    assert shell("status")[1].count("Open trade") == 1
    rules = replace(record.trade().rules, profit_target_usd=None, stop_loss_usd=None, take_profit_fraction=None)
    other = record.trade(2, strategy="other", rules=rules)
    with database.transaction() as session:
        TradeRepository(session).add(other)
    out = shell("status")[1]
    blocks = [block for block in out.split("\n\n") if block.startswith("Open trade")]
    words = ("target 400 USD, stop 200 USD", "by time alone")
    for trade, block, exits in zip((record.trade(), other), blocks, words, strict=True):
        facts = dict(line.split("  ", 1) for line in block.splitlines())
        assert facts["Open trade"].split()[0] == trade.id
        assert [facts[name].strip() for name in ("Closed by", "Flat deadline")] == [
            "2022-08-26 15:00:00",
            "2022-08-26 15:45:00",
        ]
        assert facts["Exits"].strip() == exits
    assert [trade["id"] for trade in parsed(shell("status", "--json"))["trades"]] == [record.trade().id, other.id]


def test_what_is_held_over_night_and_sold_in_part_tells_both(shell: Shell, traded: None, database: Database) -> None:
    rules = replace(plain.RULES, exit_at=None, flat_deadline=None, stop_price=None, target_price=None)
    sold: dict[str, Any] = {"state": TradeState.OPEN, "credit": Decimal(-400), "gross_pnl_usd": Decimal("12.50")}
    with database.transaction() as session:
        TradeRepository(session).add(plain.trade(rules=rules, closed=25, **sold))
    (block,) = (one for one in shell("status")[1].split("\n\n") if one.startswith("Open trade") and "SPY" in one)
    facts = {name: told.strip() for name, told in (line.split("  ", 1) for line in block.splitlines())}
    assert facts["Legs"] == "BUY 75 SPY"
    assert facts["Closed so far"] == "25 of 100, 12.50 USD before commissions"
    assert facts["Exits"] == "by the strategy's word alone"
    assert facts["Closed by"] == "no time: held over night"
    bounded = replace(rules, stop_loss_usd=Decimal(400))
    with database.transaction() as session:
        TradeRepository(session).add(plain.trade(2, rules=bounded, strategy="other", quantity=18, closed=13, **sold))
    assert "maximum loss 111.11 USD" in shell("status")[1], "5 of 18 parts of 400"
    assert sorted(trade["closed"] for trade in parsed(shell("trades", "--json"))) == [0, 13, 25]


def test_why_and_what_is_not_found(shell: Shell, traded: None) -> None:
    code, out, _ = shell("why", record.trade().id)
    assert code == 0
    assert [line.split()[1] for line in out.splitlines() if line[:2].strip().isdigit()] == [
        "tick", "bar", "signal", "decision", "intent", "order", "fill", "position", "pnl", "alert",
    ]  # fmt: skip
    assert len(out.splitlines()) <= 22, "two lines a step at most, and where the rest is"
    (signal,) = (line for line in out.splitlines() if line.strip().startswith(record.STRATEGY))
    assert [words in signal for words in ("price 4160.5", "high 4160", "low 4100.25", "rsi_ema 51.125")] == [True] * 4
    full = shell("why", record.trade().id, "--full")[1]
    assert [line for line in full.splitlines() if line.startswith("      open_trade: ") and "passed yes" in line]
    assert len(full.splitlines()) > len(out.splitlines())
    assert len(parsed(shell("why", record.trade().id, "--json"))["steps"]) == 10
    assert shell("why", "nothing")[0] == 2
    assert shell("cancel", "nothing")[0] == 2


def test_halt_and_resume(shell: Shell, tmp_path: Path) -> None:
    assert parsed(shell("halt", "--reason", "news", "--json"))["by"] == ["cli", "file"]
    assert {halt["reason"] for halt in parsed(shell("status", "--json"))["halt"]} >= {"news"}
    assert parsed(shell("resume", "--json")) == {"halted": False, "by": [], "warning": None, "accounts": None}
    (tmp_path / "STOP").touch()
    code, out, _ = shell("resume")
    assert code == 1
    assert "removed by hand" in out


def test_flatten_that_nobody_executes_times_out_and_goes_on(shell: Shell) -> None:
    code, out, err = shell("flatten", "--yes", "--wait", "0.1", "--json")
    assert code == 5
    assert json.loads(out)["state"] == "PENDING"
    assert "goes on: the desk's connection is unknown: redis does not answer; the desk has not taken it up yet" in err
    assert shell("flatten", "--yes", "--wait", "0")[0] == 0


def test_flatten_that_times_out_names_what_is_still_open(shell: Shell, traded: None, database: Database) -> None:
    key = ("flatten", "--yes", "--key", "one", "--wait")
    shell(*key, "0")
    with database.transaction() as session:
        commands = CommandRepository(session)
        [asked] = commands.open()
        commands.advance(asked.id, CommandState.PENDING, CommandState.RUNNING, record.NOON)
    code, _, err = shell(*key, "0.1")
    assert (code, record.trade().id in err) == (5, True)


def test_flatten_tells_what_it_did(shell: Shell, database: Database) -> None:
    key = ("flatten", "--yes", "--key", "one", "--wait")
    assert "Trades closed" not in shell(*key, "0")[1]
    result = {
        "flat": False,
        "closed": ["t-1", "t-2"],
        "cancelled": [],
        "withdrawn": ["entry-1"],
        "left_alone": ["5 SPY in DU1000001"],
        "still_shown": ["1 QQQ in DU1000001"],
    }
    with database.transaction() as session:
        commands = CommandRepository(session)
        [asked] = commands.open()
        commands.advance(asked.id, CommandState.PENDING, CommandState.DONE, record.NOON, result)
    code, out, err = shell(*key, "1")
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == [
        "Trades closed      2 t-1 t-2",
        "Entries cancelled  0",
        "Entries withdrawn  1 entry-1",
        "Left alone         5 SPY in DU1000001",
        "Still shown        1 QQQ in DU1000001",
    ]


def test_settle_asks_the_desk_once_and_tells_why_it_could_not(shell: Shell, traded: None, database: Database) -> None:
    trade_id = record.trade().id
    asked = ("settle", trade_id, "--price", "4148.50", "--key", "one")
    code, out, err = shell(*asked, "--wait", "0.1", "--json")
    assert (code, json.loads(out)["state"], "goes on" in err) == (5, "PENDING", True)
    with database.transaction() as session:
        commands = CommandRepository(session)
        [command] = commands.open()
        assert (command.kind, command.params) == ("settle", {"trade": trade_id, "price": "4148.50"})
        why = {"why": "its options have not expired"}
        commands.advance(command.id, CommandState.PENDING, CommandState.FAILED, record.NOON, why)
    code, _, err = shell(*asked, "--wait", "1")
    assert (code, err.count("\n")) == (1, 1)
    assert err.rstrip().endswith(f"command {command.id} failed: its options have not expired")


@pytest.mark.parametrize(
    ("trade_id", "price", "code", "words"),
    [
        ("moon", "4148.50", 2, "there is no trade moon: `htbot trades` lists them"),
        (record.trade().id, "much", 1, "--price much: must be a number of dollars"),
        (record.trade().id, "0", 1, "price 0: give the settlement price of the underlying, or per share, above 0"),
    ],
)
def test_settle_names_what_is_wrong(
    shell: Shell, traded: None, trade_id: str, price: str, code: int, words: str
) -> None:
    told, out, err = shell("settle", trade_id, "--price", price)
    assert (told, out, err.count("\n")) == (code, "", 1)
    assert words in err
    assert parsed(shell("audit", "show", "--json")) == []


def test_tokens(shell: Shell) -> None:
    minted = parsed(shell("token", "create", "screen", "--role", "viewer", "--json"))
    assert minted["token"].startswith("htb_")
    code, _, err = shell("token", "create", "screen")
    assert code == 1
    assert "screen" in err
    (listed,) = parsed(shell("token", "list", "--json"))
    assert (listed["name"], listed["role"]) == ("screen", "viewer")
    assert parsed(shell("token", "revoke", "screen", "--json")) == {"revoked": "screen"}
    assert shell("token", "revoke", "screen")[0] == 2
    assert parsed(shell("token", "list", "--json")) == []


def test_db_upgrade_twice_changes_nothing(shell: Shell) -> None:
    told = parsed(shell("db", "upgrade", "--json"))
    assert told["before"] == told["after"]


def test_doctor_finds_the_record_in_order(shell: Shell) -> None:
    findings = {finding["check"]: finding for finding in json.loads(shell("doctor", "--json")[1])["findings"]}
    assert findings["record"]["state"] == "ok"
    assert findings["redis"]["state"] == "FAIL"


@pytest.mark.fault(43)
def test_doctor_names_processes_of_another_version(shell: Shell, database: Database) -> None:
    def versions() -> dict[str, str]:
        findings = json.loads(shell("doctor", "--json")[1])["findings"]
        return {finding["check"]: finding for finding in findings}["versions"]

    own = own_version()
    with database.transaction() as session:
        register(session, "desk:a:1", own, record.NOON)
    assert versions()["state"] == "ok"
    with database.transaction() as session:
        register(session, "worker@a", Version("0.0.1", own.revision), record.NOON)
    assert (versions()["state"], "worker@a" in versions()["value"]) == ("warn", True)
    with database.transaction() as session:
        register(session, "desk:a:1", Version(own.code, "0001"), record.at(1))
    assert versions()["state"] == "FAIL"
