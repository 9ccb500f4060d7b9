"""The built-in paper gateway: which market it plays, how fast, and for whom."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, SecretStr, model_validator

from htbot.settings.section import Section, split_words, variable

NEW_YORK = ZoneInfo("America/New_York")


def split_paths(text: str) -> tuple[Path, ...]:
    """A list of files, separated by commas or the platform's path separator."""
    return tuple(Path(part.strip()) for part in re.split(f"[,{os.pathsep}]", text) if part.strip())


def _paths(value: Any) -> Any:
    return split_paths(value) if isinstance(value, str) else value


def _instant(value: Any) -> Any:
    """An ISO date, which means that session, or date and time; without an offset it is New York's."""
    if not isinstance(value, str):
        return value
    try:
        if len(value) == len("2022-08-26"):
            return date.fromisoformat(value)
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be an ISO date or time, such as 2022-08-26 or 2022-08-26T09:30") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK)).astimezone(UTC)


def _speed(value: Any) -> Any:
    text = str(value).strip().lower()
    try:
        return "max" if text == "max" else float(text)
    except ValueError:
        raise ValueError("must be a number or max") from None


def _bar_length(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[1-9][0-9]*[smhd]", value):
        raise ValueError("must be a number and s, m, h or d, such as 5m")
    return value


Instant = Annotated[datetime | date, BeforeValidator(_instant)]


def _day(moment: datetime | date) -> date:
    return moment.astimezone(NEW_YORK).date() if isinstance(moment, datetime) else moment


def _is_after(end: datetime | date, start: datetime | date) -> bool:
    if isinstance(end, datetime) and isinstance(start, datetime):
        return end > start
    return _day(end) >= _day(start)


class PaperSettings(Section):
    """The paper gateway. Times without an offset are New York's and are kept in UTC."""

    title: ClassVar[str] = "Paper gateway (built in; speaks the TWS protocol on loopback)"

    market: Literal["synthetic", "replay"] = variable(
        "PAPER_MARKET",
        "synthetic (seeded) or replay of PAPER_DATA; unset follows PAPER_DATA",
        default="synthetic",
        shown="",
    )
    data: Annotated[tuple[Path, ...], BeforeValidator(_paths)] = variable(
        "PAPER_DATA", "Parquet or CSV files of bars and option quotes, separated by commas", default=()
    )
    start: Instant | None = variable(
        "PAPER_START", "session or market time to begin at, ISO; unset: 09:45 of the last full completed session"
    )
    end: Instant | None = variable("PAPER_END", "session or market time to stop at, ISO; unset: never")
    speed: Annotated[float | Literal["max"], BeforeValidator(_speed)] = variable(
        "PAPER_SPEED", "market seconds per second, or max: stepped, as fast as it goes", default=10.0, shown="10"
    )
    seed: int = variable("PAPER_SEED", "seed of the synthetic market", default=7, ge=0, le=2**31 - 1)
    accounts: Annotated[tuple[str, ...], BeforeValidator(split_words)] = variable(
        "PAPER_ACCOUNTS", "accounts of the login, separated by commas; unset: one, derived from the world", default=()
    )
    cash: Decimal = variable(
        "PAPER_CASH", "cash of each new account in USD", default=Decimal(100_000), ge=0, le=1_000_000_000
    )
    account_type: Annotated[tuple[Literal["margin", "cash"], ...], BeforeValidator(split_words)] = variable(
        "PAPER_ACCOUNT_TYPE",
        "margin or cash, for all of PAPER_ACCOUNTS, or one for each (a master left out), separated by commas",
        default=("margin",),
        shown="margin",
    )
    naked_options: bool = variable(
        "PAPER_NAKED_OPTIONS", "false forbids margin accounts to sell options without cover", default=True
    )
    commissions: Literal["fixed", "tiered"] = variable(
        "PAPER_COMMISSIONS",
        "IB's price plan: fixed, or tiered with the fees of exchanges and regulators",
        default="fixed",
    )
    port: int = variable("PAPER_PORT", "port on loopback", default=4102, ge=1024, le=65535)
    connect_port: int | None = variable(
        "PAPER_CONNECT_PORT",
        "port that the desk connects to where a proxy stands before the paper gateway; unset: PAPER_PORT",
        ge=1024,
        le=65535,
    )
    listing: Literal["modelled", "historical"] = variable(
        "PAPER_LISTING",
        "modelled: one expiry per session; historical: expiries listed at that date",
        default="modelled",
    )
    bar: Annotated[str | None, BeforeValidator(_bar_length)] = variable(
        "PAPER_BAR", "bar length of the data (1s, 5m, 1d); unset: the commonest gap"
    )
    scenario: Literal["walk", "trend", "chop", "gap", "halt", "spike"] = variable(
        "PAPER_SCENARIO", "what the days of the synthetic market are like", default="walk"
    )

    master_client_id: int | None = variable(
        "PAPER_MASTER_CLIENT_ID", "client id that sees the orders of all clients; unset: none", ge=0, le=2**31 - 1
    )
    read_only: bool = variable("PAPER_READ_ONLY", "true refuses orders (error 321)", default=False)
    session_hold_s: float = variable(
        "PAPER_SESSION_HOLD_S",
        "seconds for which the client id of a broken connection stays taken (error 326)",
        default=1.0,
        shown="1",
        ge=0,
        le=3600,
    )
    pace: Literal["warn", "reject", "queue", "off"] = variable(
        "PAPER_PACE",
        "messages beyond 50 a second: warn (error 100), reject (and disconnect), queue (read them later) or off",
        default="warn",
    )

    subscriptions: Literal["realtime", "delayed", "none"] = variable(
        "PAPER_SUBSCRIPTIONS",
        "market data of the login: realtime, delayed (10089, 10090, 10167) or none (354, 10168)",
        default="realtime",
    )
    lines: int = variable("PAPER_LINES", "market data lines of all clients together", default=100, ge=1, le=10_000)
    pacing: Literal["on", "strict", "off"] = variable(
        "PAPER_PACING",
        "history asked too often is error 162: on (bars of 30 seconds and less), strict (all), off; never when stepped",
        default="on",
    )

    faults: Path | None = variable("PAPER_FAULTS", "YAML script of faults to play; unset: none")
    control_port: int | None = variable(
        "PAPER_CONTROL_PORT", "port on loopback for htbot paper fault, 0: any free one; unset: none", ge=0, le=65535
    )
    control_token: SecretStr | None = variable(
        "PAPER_CONTROL_TOKEN", "token of the control port; unset: a fresh one for each start", min_length=20
    )

    ticks_per_second: float = variable(
        "PAPER_TICKS_PER_SECOND",
        "how often in a second of the market prices are looked at; at most 10 a second of the host, or this number",
        default=1.0,
        shown="1",
        ge=0.1,
        le=100,
    )

    slippage_ticks: int = variable(
        "PAPER_SLIPPAGE_TICKS", "ticks beyond the touch that market and crossing orders pay", default=0, ge=0, le=100
    )
    touch_share: Decimal = variable(
        "PAPER_TOUCH_SHARE",
        "part of the size at the touch that one order takes at most; 0: sizes do not limit",
        default=Decimal(1),
        ge=0,
        le=1,
    )
    latency_s: float = variable(
        "PAPER_LATENCY_S", "market seconds from an order's arrival to its first look", default=0.1, ge=0, le=60
    )
    commission_delay_s: float = variable(
        "PAPER_COMMISSION_DELAY_S",
        "market seconds from a fill to its commissionReport",
        default=0.0,
        shown="0",
        ge=0,
        le=3600,
    )

    @property
    def stepped(self) -> bool:
        """Whether market time moves by barrier only (ARCHITECTURE section 5)."""
        return self.speed == "max"

    @model_validator(mode="before")
    @classmethod
    def _data_means_replay(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("PAPER_DATA") and "PAPER_MARKET" not in values:
            return {**values, "PAPER_MARKET": "replay"}
        return values

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.speed != "max" and not 0.1 <= self.speed <= 3600:
            raise ValueError(f"PAPER_SPEED={self.speed:g} is out of range: 0.1 to 3600, or max")
        if self.market == "replay" and not self.data:
            raise ValueError("PAPER_MARKET=replay needs PAPER_DATA")
        if self.market == "synthetic" and self.data:
            raise ValueError("PAPER_DATA is set but PAPER_MARKET=synthetic: remove one of them")
        for account in self.accounts:
            if not re.fullmatch(r"D[A-Z]{1,2}[0-9]{4,12}", account):
                raise ValueError(f"PAPER_ACCOUNTS={account} is no paper account: D, a letter or two, digits")
        clients = [account for account in self.accounts if not account.startswith("DF")]
        if len(self.account_type) not in {1, len(clients)}:
            given = ",".join(self.account_type)
            raise ValueError(f"PAPER_ACCOUNT_TYPE={given} must be one word, or one for each of {len(clients)} accounts")
        if self.start is not None and self.end is not None and not _is_after(self.end, self.start):
            raise ValueError(f"PAPER_END={self.end.isoformat()} is not after PAPER_START={self.start.isoformat()}")
        return self
