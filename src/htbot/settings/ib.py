"""The Interactive Brokers session: where it is, who we are, and the guard before live trading."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, model_validator

from htbot.settings.section import Section, split_words, variable

LIVE_PORTS = frozenset({7496, 4001, 4003})
"""TWS, IB Gateway, and the gateway container's inner port, live logins."""

PAPER_PORTS = frozenset({7497, 4002, 4004})
"""The same for paper logins."""

_ACCOUNT = r"^[A-Z]{1,3}[0-9]{4,12}$"
TradingMode = Annotated[Literal["paper", "live"], BeforeValidator(lambda text: str(text).strip().lower())]


class IbSettings(Section):
    """Connection and identity at the broker. With neither host nor port set, the built-in paper gateway is used."""

    title: ClassVar[str] = "Interactive Brokers (leave IB_HOST and IB_PORT unset for the built-in paper gateway)"

    host: str = variable(
        "IB_HOST",
        "host of TWS or IB Gateway",
        default="127.0.0.1",
        aliases=("IB_GATEWAY_IP", "IB_GATEWAY_HOST", "IBKR_HOST"),
        shown="",
    )
    port: int = variable(
        "IB_PORT",
        "7497 TWS paper, 4002 Gateway paper, 7496 and 4001 live",
        default=4002,
        aliases=("IB_GATEWAY_PORT", "IBKR_PORT"),
        ge=1,
        le=65535,
        shown="",
    )
    client_id: int = variable(
        "IB_CLIENT_ID",
        "client id of the desk: one per running htbot and login",
        default=1,
        aliases=("IBKR_CLIENT_ID",),
        ge=1,
        le=999_999,
    )
    account: str | None = variable(
        "IB_ACCOUNT",
        "account to trade; unset takes the only account of a paper login",
        pattern=_ACCOUNT,
    )
    more_accounts: Annotated[tuple[str, ...], BeforeValidator(split_words)] = variable(
        "IB_ACCOUNTS",
        "accounts of the login that instances of strategies may trade beside IB_ACCOUNT, separated by commas",
        default=(),
    )
    data_lines: int | None = variable(
        "IB_DATA_LINES",
        "quotes that the broker streams to this login at one time; unset: 100, PAPER_LINES on the built-in gateway",
        ge=10,
        le=10_000,
    )
    trading_mode: TradingMode = variable(
        "IB_TRADING_MODE", "paper or live", default="paper", aliases=("IBKR_TRADING_MODE", "TRADING_MODE")
    )
    live_trading_confirm: str | None = variable(
        "LIVE_TRADING_CONFIRM",
        "repeat the account here, several separated by commas: live trading is refused without it",
    )
    builtin_paper: bool = False

    @property
    def is_live(self) -> bool:
        """Whether orders move real money."""
        return self.trading_mode == "live"

    @model_validator(mode="after")
    def _mode_and_port_agree(self) -> Self:
        if self.builtin_paper:
            if self.is_live:
                raise ValueError("IB_TRADING_MODE=live needs IB_HOST and IB_PORT of a live gateway")
            return self
        if self.is_live and self.port not in LIVE_PORTS:
            raise ValueError(f"IB_PORT={self.port} is no live port (7496, 4001, 4003) but IB_TRADING_MODE=live")
        if not self.is_live and self.port in LIVE_PORTS:
            raise ValueError(f"IB_PORT={self.port} is a live port but IB_TRADING_MODE=paper")
        return self

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account that may be traded, the main one first; empty while that is the login's only one."""
        return (
            () if self.account is None else (self.account, *(one for one in self.more_accounts if one != self.account))
        )

    @model_validator(mode="after")
    def _accounts_are_accounts(self) -> Self:
        for name in self.more_accounts:
            if not re.fullmatch(_ACCOUNT, name):
                raise ValueError(f"IB_ACCOUNTS={name} is no account: one to three letters, then digits")
        if self.more_accounts and self.account is None:
            raise ValueError(f"IB_ACCOUNTS={','.join(self.more_accounts)} needs IB_ACCOUNT, the main one")
        if len(set(self.more_accounts)) < len(self.more_accounts):
            raise ValueError(f"IB_ACCOUNTS={','.join(self.more_accounts)} names an account twice")
        return self

    @model_validator(mode="after")
    def _mode_and_account_agree(self) -> Self:
        for name in self.accounts:
            variable_name = "IB_ACCOUNT" if name == self.account else "IB_ACCOUNTS"
            if not self.is_live and not name.startswith("D"):
                raise ValueError(f"{variable_name}={name} is no paper account (D...) but IB_TRADING_MODE=paper")
            if self.is_live and name.startswith("D"):
                raise ValueError(f"IB_TRADING_MODE=live needs {variable_name}, a live one: it is {name}")
        if not self.is_live:
            return self
        if self.account is None:
            raise ValueError("IB_TRADING_MODE=live needs IB_ACCOUNT, a live one: it is unset")
        confirmed = sorted(split_words(self.live_trading_confirm or ""))
        if confirmed != sorted(self.accounts):
            raise ValueError(f"IB_TRADING_MODE=live needs LIVE_TRADING_CONFIRM={','.join(self.accounts)}")
        return self
