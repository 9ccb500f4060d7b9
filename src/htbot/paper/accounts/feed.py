"""Account values, portfolio, positions and profit as clients subscribe to them.

IB sends account values about every three minutes and at once when a position changes, profit once a second
(TWS_PROTOCOL section 8); of values and portfolio only what changed is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from htbot.domain.instruments import SecType
from htbot.domain.sessions import NEW_YORK
from htbot.paper.accounts.ledger import HeldPosition
from htbot.paper.accounts.valuation import AccountValuation, Mark, money
from htbot.paper.accounts.values import BASE, ValueRow, account_rows, ledger_rows
from htbot.paper.contracts import wire_fields
from htbot.paper.session import PnlLine, Session, Summary, Updates
from htbot.paper.wire import messages
from htbot.paper.wire.values import UNSET_DOUBLE

if TYPE_CHECKING:
    from htbot.paper.gateway import Gateway

_REFRESH = timedelta(seconds=180)
_PROFIT_PERIOD = timedelta(seconds=1)
_ALL_CURRENCIES = "ALL"
_COST_STEP = Decimal("0.00000001")


class AccountFeed:
    """Feeds the account subscriptions of all sessions."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._refreshed_at = gateway.now
        self._profit_at = gateway.now
        self._rows: dict[str, tuple[AccountValuation, list[ValueRow], list[ValueRow]]] = {}

    def rows(self, account: str) -> tuple[list[ValueRow], list[ValueRow]]:
        """An account's values at this instant: of the whole account, and by currency."""
        valuation = self._gateway.valuer.value(account)
        known = self._rows.get(account)
        if known is None or known[0] is not valuation:
            whole = [*account_rows(account, valuation, self._next_change(valuation)), *self._world_rows()]
            known = self._rows[account] = (valuation, whole, ledger_rows(account, [valuation]))
        return known[1], known[2]

    def _world_rows(self) -> list[ValueRow]:
        gateway = self._gateway
        return [ValueRow("HtbotSpeed", gateway.config.speed), ValueRow("HtbotWorld", gateway.world_id)]

    def _next_change(self, valuation: AccountValuation) -> int:
        """The close of the session, at which intraday margin ends; 0 when it is not on."""
        session = self._gateway.market.sessions.at(self._gateway.now)
        return int(session.closes.timestamp()) if valuation.intraday and session is not None else 0

    # --- positions ------------------------------------------------------------------------------------------------

    def position_values(self, position: HeldPosition) -> dict[str, Any]:
        """A position as position and positionMulti write it: a share's exchange is its listing, others have none."""
        details = self._gateway.contracts.known(position.con_id)
        is_share = details.contract.sec_type is SecType.STOCK
        return {
            **wire_fields(details, details.primary_exchange if is_share else ""),
            "account": position.account,
            "position": position.quantity,
            "avgCost": _average_cost(position),
        }

    def push_changes(self) -> None:
        """Tell every subscriber about positions that changed in this turn."""
        touched = list(self._gateway.ledger.touched)
        if not touched:
            return
        self._gateway.ledger.touched.clear()
        for session in self._gateway.sessions.values():
            for key in touched:
                self._push_position(session, self._gateway.ledger.positions[key])
            self._refresh(session)

    def _push_position(self, session: Session, position: HeldPosition) -> None:
        values = self.position_values(position)
        if session.wants_positions:
            session.send(messages.POSITION, values)
        for request_id, accounts in session.position_multis.items():
            if position.account in accounts:
                session.send(messages.POSITION_MULTI, {**values, "reqId": request_id})

    # --- values and portfolio -------------------------------------------------------------------------------------

    def publish(self) -> None:
        """Go with the time: profit each second of the market, values every three minutes."""
        now = self._gateway.now
        refresh = now - self._refreshed_at >= _REFRESH
        if refresh:
            self._refreshed_at = now
        profit = now - self._profit_at >= _PROFIT_PERIOD
        if profit:
            self._profit_at = now
        for session in self._gateway.sessions.values():
            if profit:
                for request_id, line in session.pnl.items():
                    self.send_pnl(session, request_id, line)
            if refresh:
                self._refresh(session)

    def _refresh(self, session: Session) -> None:
        if session.updates is not None:
            self.send_updates(session, session.updates)
        for request_id, updates in session.update_multis.items():
            self.send_update_multi(session, request_id, updates)
        for request_id, summary in session.summaries.items():
            self.send_summary(session, request_id, summary)

    def send_updates(self, session: Session, updates: Updates) -> None:
        """Queue what changed of an account's values and portfolio, then the time of the update."""
        account = updates.accounts[0]
        whole, ledger = self.rows(account)
        by_currency = {row.key for row in ledger}
        rows = sorted([*(row for row in whole if row.key not in by_currency), *ledger], key=lambda row: row.key)
        for row in _changed(account, rows, updates.values):
            session.send(
                messages.ACCOUNT_VALUE,
                {"key": row.key, "value": row.value, "currency": row.currency, "account": account},
            )
        for position in self._gateway.ledger.active(account):
            self._send_portfolio(session, updates, position)
        local = self._gateway.now.astimezone(NEW_YORK)
        session.send(messages.ACCOUNT_TIME, {"time": f"{local:%H:%M}"})

    def _send_portfolio(self, session: Session, updates: Updates, position: HeldPosition) -> None:
        if not position.quantity and position.con_id not in updates.portfolio:
            return
        mark = self._gateway.valuer.mark(position)
        figures = (
            str(position.quantity),
            str(mark.price),
            money(mark.value),
            str(_average_cost(position)),
            money(mark.unrealized),
            money(position.day_realized),
        )
        if updates.portfolio.get(position.con_id) == figures:
            return
        updates.portfolio[position.con_id] = figures
        values = {
            **wire_fields(self._gateway.contracts.known(position.con_id)),
            "position": position.quantity,
            "marketPrice": mark.price,
            "marketValue": figures[2],
            "averageCost": _average_cost(position),
            "unrealizedPNL": figures[4],
            "realizedPNL": figures[5],
            "account": position.account,
        }
        session.send(messages.PORTFOLIO, values)

    def send_update_multi(self, session: Session, request_id: int, updates: Updates) -> None:
        """Queue what changed of an accountUpdatesMulti subscription."""
        for account in updates.accounts:
            whole, ledger = self.rows(account)
            if updates.ledger_only:
                whole = [row for row in whole if row.key == "NetLiquidation"]
            rows = [*whole, *ledger]
            for row in _changed(account, rows, updates.values):
                session.send(
                    messages.ACCOUNT_UPDATE_MULTI,
                    {
                        "reqId": request_id,
                        "account": account,
                        "modelCode": updates.model,
                        "key": row.key,
                        "value": row.value,
                        "currency": row.currency,
                    },
                )

    def send_summary(self, session: Session, request_id: int, summary: Summary) -> None:
        """Queue what changed of an account summary; tags that no account has are left out."""
        for account in summary.accounts:
            known = {row.key: row for row in self.rows(account)[0]}
            rows = [known[tag] for tag in summary.tags if tag in known]
            self._send_summary_rows(session, request_id, account, _changed(account, rows, summary.sent))
        if summary.currencies:
            valuations = [self._gateway.valuer.value(account) for account in summary.accounts]
            found = ledger_rows(summary.group, valuations)
            if _ALL_CURRENCIES not in summary.currencies:
                found = [row for row in found if row.currency in summary.currencies]
            self._send_summary_rows(session, request_id, summary.group, _changed(summary.group, found, summary.sent))

    def _send_summary_rows(self, session: Session, request_id: int, name: str, rows: Iterable[ValueRow]) -> None:
        for row in rows:
            values = {"reqId": request_id, "account": name, "tag": row.key, "value": row.value}
            session.send(messages.ACCOUNT_SUMMARY, {**values, "currency": row.currency})

    # --- profit ---------------------------------------------------------------------------------------------------

    def send_pnl(self, session: Session, request_id: int, line: PnlLine) -> None:
        """Queue a profit line."""
        if line.con_id is not None:
            session.send(messages.PNL_SINGLE, {"reqId": request_id, **self._position_pnl(line)})
            return
        valuations = [self._gateway.valuer.value(account) for account in line.accounts]
        values = {
            "reqId": request_id,
            "dailyPnL": _total(valuation.daily for valuation in valuations),
            "unrealizedPnL": _total(valuation.total.unrealized for valuation in valuations),
            "realizedPnL": _total(valuation.total.realized for valuation in valuations),
        }
        session.send(messages.PNL, values)

    def _position_pnl(self, line: PnlLine) -> dict[str, Any]:
        """What is not known is unset: a contract that is not held, a position without a price or without a trade."""
        ledger = self._gateway.ledger
        found = (ledger.positions.get((account, line.con_id or 0)) for account in line.accounts)
        positions = [position for position in found if position is not None]
        if not positions:
            return {
                "position": 0,
                **dict.fromkeys(("dailyPnL", "unrealizedPnL", "realizedPnL"), UNSET_DOUBLE),
                "value": 0,
            }
        marks = [(position, self._gateway.valuer.mark(position)) for position in positions]
        known = all(mark.known for _position, mark in marks)
        traded = any(position.now != position.opening for position in positions)
        return {
            "position": sum((position.quantity for position in positions), Decimal(0)),
            "dailyPnL": self._usd(marks, "daily") if known else UNSET_DOUBLE,
            "unrealizedPnL": self._usd(marks, "unrealized") if known else UNSET_DOUBLE,
            "realizedPnL": _total(self._in_usd(row, row.day_realized) for row in positions) if traded else UNSET_DOUBLE,
            "value": self._usd(marks, "value") if known else UNSET_DOUBLE,
        }

    def _usd(self, marks: list[tuple[HeldPosition, Mark]], figure: str) -> str:
        return _total(self._in_usd(position, getattr(mark, figure)) for position, mark in marks)

    def _in_usd(self, position: HeldPosition, amount: Decimal) -> Decimal:
        return self._gateway.valuer.rates.in_usd(position.currency, amount)


def _average_cost(position: HeldPosition) -> Decimal:
    """Cost per contract to eight decimals."""
    return position.average_cost.quantize(_COST_STEP).normalize() + 0


def _total(amounts: Iterable[Decimal]) -> str:
    return money(sum(amounts, Decimal(0)))


def _changed(name: str, rows: Iterable[ValueRow], sent: dict[tuple[str, str, str], str]) -> list[ValueRow]:
    """The rows whose value is not the one that was sent last; they count as sent."""
    fresh = []
    for row in rows:
        key = (name, row.key, row.currency)
        if sent.get(key) != row.value:
            sent[key] = row.value
            fresh.append(row)
    return fresh


def summary_currencies(tag: str) -> tuple[str, ...]:
    """The currencies that a `$LEDGER` tag asks for: the base alone, one by name, or `ALL`."""
    _name, colon, currency = tag.partition(":")
    return (currency.strip().upper(),) if colon else (BASE,)
