"""Account values, portfolio, positions and profit as clients subscribe to them.

IB sends account values about every three minutes and at once when a position changes, profit once a second
(TWS_PROTOCOL section 8); only what changed is sent again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from htbot.domain.sessions import NEW_YORK
from htbot.paper.contracts import wire_fields
from htbot.paper.ledger import HeldPosition
from htbot.paper.session import PnlLine, Session, Summary, Updates
from htbot.paper.valuation import account_values, money, plain_values
from htbot.paper.wire import messages

if TYPE_CHECKING:
    from htbot.paper.gateway import Gateway

_REFRESH = timedelta(seconds=180)


class AccountFeed:
    """Feeds the account subscriptions of all sessions."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._refreshed_at = gateway.now
        self._values: dict[str, dict[str, tuple[str, str]]] = {}
        self._valued_at: datetime | None = None

    def values(self, account: str) -> dict[str, tuple[str, str]]:
        """Every account value: key to (value, currency)."""
        gateway = self._gateway
        if self._valued_at != gateway.now:
            self._values.clear()
            self._valued_at = gateway.now
        known = self._values.get(account)
        if known is None:
            valuation = gateway.valuer.value(account)
            known = {key: (value, "") for key, value in plain_values(valuation).items()}
            known["AccountCode"] = (account, "")
            known["HtbotWorld"] = (gateway.world_id, "")
            known["HtbotSpeed"] = (gateway.config.speed, "")
            known["Currency"] = ("USD", "USD")
            known |= {key: (value, "USD") for key, value in account_values(valuation).items()}
            self._values[account] = known
        return known

    # --- positions ------------------------------------------------------------------------------------------------

    def position_values(self, position: HeldPosition) -> dict[str, Any]:
        """A position as position and positionMulti write it; the exchange is empty, as at IB."""
        details = self._gateway.contracts.known(position.con_id)
        return {
            **wire_fields(details, ""),
            "account": position.account,
            "position": position.quantity,
            "avgCost": position.average_cost,
        }

    def push_changes(self) -> None:
        """Tell every subscriber about positions that changed in this turn."""
        touched = list(self._gateway.ledger.touched)
        if not touched:
            return
        self._gateway.ledger.touched.clear()
        self._values.clear()
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
        """Go with the time: profit at each instant, values every three minutes."""
        now = self._gateway.now
        refresh = now - self._refreshed_at >= _REFRESH
        if refresh:
            self._refreshed_at = now
        for session in self._gateway.sessions.values():
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
        account = updates.account
        for key, (value, currency) in self.values(account).items():
            if updates.values.get(key) != value:
                updates.values[key] = value
                row = {"key": key, "value": value, "currency": currency, "account": account}
                session.send(messages.ACCOUNT_VALUE, row)
        for position in self._gateway.ledger.of(account):
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
            money(mark.value_usd),
            money(position.average_cost),
            money(mark.unrealized_usd),
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
            "averageCost": position.average_cost,
            "unrealizedPNL": figures[4],
            "realizedPNL": figures[5],
            "account": position.account,
        }
        session.send(messages.PORTFOLIO, values)

    def send_update_multi(self, session: Session, request_id: int, updates: Updates) -> None:
        """Queue what changed of an accountUpdatesMulti subscription."""
        for key, (value, currency) in self.values(updates.account).items():
            if updates.values.get(key) != value:
                updates.values[key] = value
                row = {"reqId": request_id, "account": updates.account, "key": key, "value": value}
                session.send(messages.ACCOUNT_UPDATE_MULTI, {**row, "currency": currency})

    def send_summary(self, session: Session, request_id: int, summary: Summary) -> None:
        """Queue what changed of an account summary."""
        for account in summary.accounts:
            values = self.values(account)
            for tag in summary.tags:
                value, currency = values.get(tag, ("", ""))
                if value and summary.sent.get((account, tag)) != value:
                    summary.sent[account, tag] = value
                    row = {"reqId": request_id, "account": account, "tag": tag, "value": value, "currency": currency}
                    session.send(messages.ACCOUNT_SUMMARY, row)

    # --- profit ---------------------------------------------------------------------------------------------------

    def send_pnl(self, session: Session, request_id: int, line: PnlLine) -> None:
        """Queue a profit line if it changed."""
        if line.con_id:
            values = self._position_pnl(line)
            table = messages.PNL_SINGLE
        else:
            valuation = self._gateway.valuer.value(line.account)
            table = messages.PNL
            values = {
                "dailyPnL": money(valuation.daily),
                "unrealizedPnL": money(valuation.unrealized),
                "realizedPnL": money(valuation.realized_day),
            }
        figures = tuple(values.values())
        if figures != line.sent:
            line.sent = figures
            session.send(table, {"reqId": request_id, **values})

    def _position_pnl(self, line: PnlLine) -> dict[str, str]:
        position = self._gateway.ledger.positions.get((line.account, line.con_id))
        if position is None:
            names = ("position", "dailyPnL", "unrealizedPnL", "realizedPnL", "value")
            return dict.fromkeys(names, "0")
        mark = self._gateway.valuer.mark(position)
        return {
            "position": str(position.quantity),
            "dailyPnL": money(mark.daily_usd),
            "unrealizedPnL": money(mark.unrealized_usd),
            "realizedPnL": money(position.day_realized),
            "value": money(mark.value_usd),
        }
