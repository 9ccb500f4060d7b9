"""The services and the API over a record of a test's own, with a desk that says what the test wants."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import redis
from fastapi import FastAPI
from sqlalchemy.orm import Session as Transaction
from tests.support import record
from tests.support.accounts import FIGURES, AskedBroker

from htbot.api.app import make_app
from htbot.api.parts import ApiParts
from htbot.bootstrap.backtest_jobs import BacktestJobs
from htbot.bootstrap.install.supervisor import ProgramState
from htbot.bootstrap.programs import Programs
from htbot.domain.errors import Retryable
from htbot.domain.instruments import Right
from htbot.domain.quotes import Quote
from htbot.domain.sessions import Session
from htbot.domain.trades import ExitRules
from htbot.domain.windows import TradingWindow
from htbot.marketdata.clock_state import ClockState, Mode
from htbot.marketdata.snapshot import ListedOption, Snapshot
from htbot.persistence.engine import Database
from htbot.persistence.records import Account
from htbot.persistence.repositories import AccountRepository, DeskStateRepository, SessionRepository
from htbot.risk.limits import Limits
from htbot.services.anchors import AnchorFile
from htbot.services.audit import Audit, AuditParts
from htbot.services.board.board import Board
from htbot.services.board.feed import Feed
from htbot.services.board.readings import Readings
from htbot.services.broker_session import BrokerSession
from htbot.services.commands import Commands
from htbot.services.desk_data import DeskData
from htbot.services.desk_line import DeskLine
from htbot.services.doorman import Brake, Doorman, Rounds, TokenBook
from htbot.services.entry_hours import EntryHours, hours_of_instances
from htbot.services.freqtrade import Freqtrade, FreqtradeParts
from htbot.services.halting import CommandParts
from htbot.services.kill_switch import KillSwitch
from htbot.services.listings import Listings
from htbot.services.log_files import LogFiles
from htbot.services.manual_signal import ManualParts, ManualSignals, ManualTerms
from htbot.services.metrics import SystemMetrics
from htbot.services.monitoring import Monitoring, MonitoringParts
from htbot.services.performance import Performance
from htbot.services.pin import pin_digest
from htbot.services.prices import Prices
from htbot.services.queries import Queries, Sources
from htbot.services.risk_rules import RiskRules, RuleParts
from htbot.services.schedule import schedule
from htbot.services.scheduler import Scheduler, SchedulerParts
from htbot.services.settling import Settling
from htbot.services.strategies import Strategies, StrategyParts
from htbot.services.strategy_reads import StrategyReads
from htbot.services.tokens import Role, Tokens
from htbot.services.trading_status import TradingStatuses
from htbot.services.visits import VisitBook
from htbot.strategies.registry import STRATEGIES

HOST_NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PROGRAM = ProgramState("desk", "RUNNING", 4711, int((HOST_NOW - timedelta(hours=1)).timestamp()))
PIN = "482913"
FIRST = "first-token-of-thirty-two-letters"
SPREAD = {
    "strategy": "vertical_spread",
    "symbol": "SPX",
    "qty_per_leg": 1,
    "strike_long": "4105",
    "strike_short": "4145",
}


def no_backtest(folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """A process that has ended and left no result."""
    process = subprocess.Popen([sys.executable, "-S", "-E", "-c", ""], stdout=log, cwd=folder)
    process.wait()
    return process


def clock(**changes: object) -> ClockState:
    """The desk, a second ago."""
    said = ClockState(
        market_time=record.NOON,
        written_at=HOST_NOW - timedelta(seconds=1),
        mode=Mode.PAPER,
        speed=1.0,
        world_id=record.WORLD,
        account=record.ACCOUNT,
        connection="connected",
        trading_enabled=True,
    )
    return replace(said, **changes)


def chain(spot: float = 4152.0) -> Snapshot:
    """Puts and calls of the day around the spot, 10 cents wide, the nearer to the money the dearer."""
    options: list[ListedOption] = []
    quotes = {1: Quote(1, record.NOON, spot - 0.1, spot + 0.1, 1, 1, spot)}
    lowest = int(spot) // 5 * 5 - 50
    for number, strike in enumerate(range(lowest, lowest + 110, 5)):
        for right in Right:
            con_id = 100 + number + (500 if right is Right.CALL else 0)
            options.append(ListedOption(con_id, record.DAY, Decimal(strike), right, "SPXW"))
            away = (spot - strike) if right is Right.PUT else (strike - spot)
            bid = round(max(12.0 - away * 0.2, 0.5), 2)
            quotes[con_id] = Quote(con_id, record.NOON, bid, round(bid + 0.1, 2), 10, 10)
    return Snapshot(
        as_of=record.NOON,
        world_id=record.WORLD,
        account=record.ACCOUNT,
        symbol="SPX",
        underlying_con_id=1,
        spot=spot,
        last_closed=None,
        open_bar=None,
        options=tuple(options),
        quotes=quotes,
        net_liquidation=Decimal(100_000),
        buying_power=Decimal(100_000),
        figures=FIGURES,
    )


def told_by_desk() -> dict[str, Any]:
    """What the desk answers to those who ask, by kind."""
    at = record.NOON.isoformat()
    return {
        "ping": {"asked": "time", "round_trip_ms": 1.5, "broker_time": at},
        "account": {"account": record.ACCOUNT, "as_of": at, "amounts": {}},
        "positions": [],
        "compare": {"asked_at": at},
    }


@dataclass
class FakeLive:
    """Redis as a test wants it."""

    said: ClockState | None = field(default_factory=clock)
    seen: Snapshot | None = None
    away: bool = False
    rung: str | None = None
    answers: dict[str, Any] = field(default_factory=told_by_desk)
    asked: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def _require(self) -> None:
        if self.away:
            raise redis.ConnectionError("no redis")

    def clock(self) -> ClockState | None:
        self._require()
        return self.said

    def snapshot(self, symbol: str) -> Snapshot | None:
        self._require()
        return self.seen if self.seen is not None and self.seen.symbol == symbol else None

    def tickers(self) -> dict[str, Snapshot]:
        self._require()
        return {} if self.seen is None else {self.seen.symbol: self.seen}

    def raise_halt(self, reason: str) -> None:
        self._require()
        self.rung = reason

    def drop_halt(self) -> None:
        self._require()
        self.rung = None

    def ask(self, kind: str, params: Mapping[str, object]) -> Any:
        self._require()
        self.asked.append((kind, dict(params)))
        answer = self.answers.get(kind, Retryable("the desk did not answer"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ping(self) -> bool:
        self._require()
        return True


@dataclass
class House:
    """Everything that a person touches, over one record: `database` is the test's way to it, `served` the API's."""

    database: Database
    served: Database
    live: FakeLive
    stop_file: Path
    queries: Queries
    readings: Readings
    commands: Commands
    manual_signals: ManualSignals
    tokens: Tokens
    metrics: SystemMetrics
    broker: AskedBroker
    strategy_parts: StrategyParts
    now: Callable[[], datetime]
    rounds: Rounds
    monotonic: float = 0.0
    changed_settings: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    refusal: Exception | None = None
    """What the supervisor says instead of ending a program."""

    @property
    def folder(self) -> Path:
        """Where what is no row lies."""
        return self.stop_file.parent

    def end(self, program: str) -> None:
        """As the supervisor does it, or does not."""
        if self.refusal is not None:
            raise self.refusal
        self.ended.append(program)

    @property
    def data(self) -> DeskData:
        """The way to the desk."""
        return DeskData(self.live, self.live.ask, self.now)

    def mint(self, name: str, role: Role) -> str:
        """A token that the API knows at once."""
        token = self.tokens.mint(name, role, "test")
        self.rounds.turn()
        return token

    def app(self, *, background: bool = False) -> FastAPI:
        """The API over it; with `background` its picture is kept fresh beside the questions."""
        brake = Brake(self.rounds.note_lockout, lambda: self.monotonic)
        doorman = Doorman(self.rounds.book, brake, self.rounds.note_visit, self.rounds.age_s)
        scheduler = Scheduler(SchedulerParts(self.served, self.live, schedule(), self.now, _entry_hours))
        performance = Performance(self.served, self.queries)
        freqtrade = FreqtradeParts(
            self.queries, performance, scheduler, self.commands, 5, lambda: self.changed_settings
        )
        parts = ApiParts(
            freqtrade=Freqtrade(freqtrade),
            monitoring=Monitoring(MonitoringParts(self.served, self.queries, self.stop_file.parent, self.now)),
            queries=self.queries,
            commands=self.commands,
            settling=Settling(self.served, self.live, self.now),
            manual_signals=self.manual_signals,
            strategies=Strategies(self.strategy_parts),
            performance=performance,
            listings=Listings(self.served, self.live, self.now),
            risk_rules=RiskRules(
                RuleParts(self.served, self.live, record.STRATEGY, "SPX", _terms("SPX").limits, self.now)
            ),
            prices=Prices(self.served, self.data, lambda: self.monotonic),
            broker=BrokerSession(self.served, self.data),
            audit=Audit(AuditParts(self.served, AnchorFile(self.stop_file.with_name("audit.head")), self.now)),
            scheduler=scheduler,
            trading=TradingStatuses(self.queries, scheduler),
            backtests=BacktestJobs(
                folder=self.folder / "backtests",
                data=self.folder / "data",
                database=self.served,
                host_now=self.now,
                market_now=self.now,
                launch=no_backtest,
            ),
            programs=Programs(
                self.folder,
                self.served,
                self.now,
                self.now,
                lambda _run: [PROGRAM],
                lambda _run, name: self.end(name),
            ),
            logs=LogFiles(self.folder / "log"),
            strategy_reads=StrategyReads(self.strategy_parts),
            metrics=self.metrics.page,
            doorman=doorman,
            hosts=(),
            url="http://127.0.0.1:8000",
            feed=Feed(self.readings, Board()),
        )
        return make_app(parts, background=background)


def _entry_hours(session: Transaction) -> list[EntryHours]:
    own = EntryHours(record.STRATEGY, time(10), time(15))
    return [own, *hours_of_instances(session, lambda: STRATEGIES)]


def _terms(_symbol: str) -> ManualTerms:
    limits = Limits(Decimal(400), Decimal(200), Decimal(12_000))

    def rules(window: TradingWindow) -> ExitRules:
        return ExitRules(Decimal(400), Decimal(200), window.exit_at, window.flat_deadline)

    return ManualTerms(limits, rules, "by-hand")


def open_market(house: House) -> None:
    """A session is on, the desk streams, books agree."""
    opens, closes = record.NOON.replace(hour=13, minute=30), record.NOON.replace(hour=20)
    with house.database.transaction() as session:
        SessionRepository(session).upsert([Session(record.DAY, opens, closes)])
        desk = DeskStateRepository(session)
        desk.set_reconciled(desk.begin_epoch())
        AccountRepository(session).upsert(Account(record.ACCOUNT, "main", record.WORLD, "paper", record.NOON))
    house.live.seen = chain()


def furnish(
    database: Database,
    folder: Path,
    live: FakeLive | None = None,
    now: Callable[[], datetime] = lambda: HOST_NOW,
    served: Database | None = None,
) -> House:
    """The house. With `served` its services use the record in another role than the test does."""
    owner, database = database, served or database
    desk = live or FakeLive()
    switch = KillSwitch(folder / "STOP")
    sources = Sources(database, desk, switch, "paper", None, now)
    queries = Queries(sources)
    broker = AskedBroker()
    manual = ManualParts(database, desk, _terms, now, halted_by=switch.halted_by, ask_margin=broker)
    tokens = Tokens(owner, desk, now)
    return House(
        broker=broker,
        database=owner,
        served=database,
        live=desk,
        stop_file=switch.path,
        queries=queries,
        readings=Readings(sources, queries),
        commands=Commands(CommandParts(database, desk, switch, None, now, DeskLine(folder), pin_digest(PIN))),
        manual_signals=ManualSignals(manual),
        tokens=tokens,
        rounds=Rounds(TokenBook(FIRST, tokens.active), tokens.tell_lockout, VisitBook(database, now).write),
        metrics=SystemMetrics(sources),
        now=now,
        strategy_parts=StrategyParts(database, desk, lambda: STRATEGIES, now),
    )
