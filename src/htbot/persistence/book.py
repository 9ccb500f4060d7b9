"""What the record says of one strategy in one account at one instant: the book that risk and strategies look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.orm import Session

from htbot.domain.scheduler import SchedulerSetting, SchedulerState
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import plain_money
from htbot.persistence.codecs import JsonObject, legs_from_json
from htbot.persistence.states import LIVE_INTENT_STATES, LIVE_TRADE_STATES
from htbot.risk.book import Book, RecentOrder, UnsettledTrade
from htbot.risk.flood import fingerprint

# One statement, so one round trip and one moment of the record. An entry that still works counts with its whole
# quantity and the worst price it accepts, whatever part of it is filled. What has no width, shares and bought options,
# can lose what was paid, or what lies before its stop.
# What is live, and every order of the day, counts whatever its market time is: of two decisions the one on the older
# quotes may be committed last, and it has to see the other.
_BOOK = text(
    """
WITH account_trades AS (
    SELECT strategy, session, state, opened_at, closed_at, strategy = :strategy AS mine, session = :session AS today,
           direction, state <> 'void' AND session BETWEEN :week_begins AND :session AS this_week,
           session = :session OR closed_at >= :midnight AS settled_today,
           coalesce(gross_pnl_usd, 0) - coalesce(commissions_usd, 0) AS net_usd
    FROM trades
    WHERE account = :account
      AND (state = ANY(:live_trades) OR closed_at >= :midnight
           OR (opened_at <= :as_of AND session BETWEEN :week_begins AND :session))
), traded AS (
    SELECT count(*) FILTER (WHERE mine AND state = ANY(:live_trades)) AS open_trades,
           array_agg(DISTINCT direction) FILTER (WHERE mine AND state = ANY(:live_trades)) AS open_directions,
           count(*) FILTER (WHERE state = ANY(:live_trades)) AS account_open_trades,
           count(*) FILTER (WHERE state = ANY(:live_trades) AND today) AS account_opened_today,
           count(*) FILTER (WHERE this_week AND today) AS trades_today,
           count(*) FILTER (WHERE this_week) AS trades_this_week,
           count(*) FILTER (WHERE mine AND today) AS entries_today,
           max(closed_at) FILTER (WHERE mine AND today AND state = 'closed' AND closed_at <= :as_of) AS last_exit_at,
           max(opened_at) FILTER (WHERE mine AND today AND opened_at <= :as_of) AS last_entry_at,
           coalesce(sum(net_usd) FILTER (WHERE mine AND settled_today), 0) AS strategy_realized_today_usd,
           coalesce(sum(net_usd) FILTER (WHERE settled_today), 0) AS account_realized_today_usd
    FROM account_trades
), ordered AS (
    SELECT count(*) FILTER (WHERE state = ANY(:live_intents)) AS working_orders,
           count(*) FILTER (WHERE created_at > CAST(:as_of AS timestamptz) - interval '1 minute') AS orders_last_minute,
           count(*) FILTER (WHERE session = :session) AS orders_today
    FROM intents
    WHERE account = :account
      AND (state = ANY(:live_intents) OR session = :session
           OR created_at > CAST(:as_of AS timestamptz) - interval '1 minute')
), recent AS (
    SELECT jsonb_build_array(created_at, action, quantity, legs) AS entry
    FROM intents
    WHERE strategy = :strategy AND account = :account AND purpose = 'entry'
      AND created_at > CAST(:as_of AS timestamptz) - interval '10 minutes'
    ORDER BY created_at DESC
    LIMIT 1000
), held AS (
    SELECT trade.symbol, trade.width, trade.rules, trade.legs, (trade.legs -> 0 ->> 'ratio')::integer AS ratio,
           CASE WHEN entry.ref IS NULL THEN coalesce(trade.credit, 0) ELSE -entry.worst_limit END AS credit,
           (greatest(trade.quantity, entry.quantity) - trade.closed) * (trade.legs -> 0 ->> 'multiplier')::integer
               AS units,
           1 - trade.closed::numeric / greatest(trade.quantity, entry.quantity) AS part,
           entry.ref IS NOT NULL OR coalesce(
               (SELECT max(fill.executed_at) FROM intents AS ended JOIN fills AS fill ON fill.ref = ended.ref
                WHERE ended.trade_id = trade.id AND ended.purpose = 'entry'),
               trade.opened_at
           ) > CAST(:as_of AS timestamptz) - interval '1 minute' AS unseen
    FROM trades AS trade
    LEFT JOIN intents AS entry
        ON entry.trade_id = trade.id AND entry.purpose = 'entry' AND entry.state = ANY(:live_intents)
    WHERE trade.account = :account AND trade.state = ANY(:live_trades)
), at_risk AS (
    SELECT symbol, sum(loss_usd) AS loss_usd, sum(value_usd) AS value_usd,
           sum(value_usd) FILTER (WHERE unseen) AS unseen_usd
    FROM (
        SELECT symbol, unseen, (width - credit) * units AS loss_usd, (width - credit) * units AS value_usd
        FROM held WHERE width IS NOT NULL
        UNION ALL
        SELECT symbol, unseen, greatest(0, least(
            abs(credit) * units,
            (rules ->> 'stop_loss_usd')::numeric * part,
            (-credit - ratio * (rules ->> 'stop_price')::numeric) * units
        )), abs(credit) * units
        FROM held WHERE width IS NULL
    ) AS each
    GROUP BY symbol
), unsettled AS (
    SELECT min((fill.executed_at AT TIME ZONE 'America/New_York')::date) FILTER (WHERE own.purpose = 'entry') AS bought,
           min((fill.executed_at AT TIME ZONE 'America/New_York')::date) FILTER (WHERE own.purpose = 'exit') AS sold
    FROM risk_decisions AS decision
    JOIN intents AS entry ON entry.decision_id = decision.id AND entry.account = :account
    JOIN intents AS own ON own.trade_id = entry.trade_id
    JOIN fills AS fill ON fill.ref = own.ref AND fill.executed_at <= :as_of
    WHERE decision.outcomes @? '$[*] ? (@.rule == "settlement" && @.passed == true && @.reason != "")'
      AND decision.as_of BETWEEN CAST(:as_of AS timestamptz) - interval '15 months' AND :as_of
    GROUP BY entry.trade_id
)
SELECT traded.*, ordered.*,
    (SELECT coalesce(jsonb_agg(entry), '[]') FROM recent) AS recent_orders,
    (SELECT coalesce(sum(loss_usd), 0) FROM at_risk) AS open_maximum_loss_usd,
    (SELECT coalesce(sum(unseen_usd), 0) FROM at_risk) AS unseen_value_usd,
    (SELECT coalesce(jsonb_object_agg(symbol, value_usd::text), '{}') FROM at_risk) AS value_by_symbol_usd,
    (SELECT count(*) FROM signals
     WHERE strategy = :strategy AND account = :account AND as_of <= :as_of AND (:observed OR NOT observed)
       AND as_of > CAST(:as_of AS timestamptz) - interval '1 minute') AS signals_last_minute,
    (SELECT coalesce(max(sequence), 0) + 1 FROM intents
     WHERE strategy = :strategy AND account = :account AND session = :session AND purpose = 'entry') AS next_sequence,
    (SELECT coalesce(jsonb_object_agg(day, usd::text), '{}') FROM (
        SELECT (executed_at AT TIME ZONE 'America/New_York')::date AS day, sum(price * quantity * multiplier) AS usd
        FROM fills
        WHERE account = :account AND side = 'SELL' AND executed_at <= :as_of
          AND executed_at > CAST(:as_of AS timestamptz) - interval '14 days'
        GROUP BY 1
    ) AS sold) AS sale_proceeds_usd,
    (SELECT coalesce(jsonb_agg(jsonb_build_array(bought, sold) ORDER BY bought, sold), '[]') FROM unsettled
     WHERE bought IS NOT NULL) AS unsettled_trades,
    ARRAY(SELECT ARRAY[direction, level] FROM signals
          WHERE strategy = :strategy AND account = :account AND session = :session AND as_of <= :as_of
            AND bar_start IS NULL AND (:observed OR NOT observed)) AS spent_levels,
    ARRAY(SELECT ARRAY[(leg ->> 'con_id')::bigint, sign((leg ->> 'ratio')::integer)::bigint]
          FROM held, jsonb_array_elements(held.legs) AS leg) AS sides,
    (SELECT string_agg(kind || ' by ' || source || ': ' || reason, '; ' ORDER BY set_at, id) FROM halts
     WHERE cleared_at IS NULL AND (ends_at IS NULL OR ends_at > :as_of)
       AND (account IS NULL OR account = :account)) AS halted_by,
    (SELECT peak_equity_usd FROM account_equity WHERE account = :account AND day <= :session
     ORDER BY day DESC LIMIT 1) AS peak_equity_usd,
    coalesce((SELECT value FROM desk_state WHERE key = 'reconciled')
           = (SELECT value FROM desk_state WHERE key = 'epoch'), false) AS reconciled,
    (SELECT jsonb_build_array(state, set_by) FROM scheduler) AS scheduler
FROM traded, ordered
"""
)


@dataclass(frozen=True, slots=True)
class BookKey:
    """Whose book: a strategy in an account, on a session day.

    One that is `observed` knows the signals of its watching besides those of its trading, so that it tells each once;
    one that trades knows its own only, as though nobody had watched it.
    """

    strategy: str
    account: str
    session: date
    observed: bool = False


class BookQuery:
    """Reads a `Book` in the transaction that stores the decision made from it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, key: BookKey, as_of: datetime) -> Book:
        """The book at a market time, held until the transaction ends: a second decision waits for the first to commit.

        It is held for this strategy only, so that it may stay held while the broker is asked. What comes of it is
        committed on `read_last`.

        Entries count whether they filled or not, as their levels do (RULINGS 2). Halts that nobody cleared count
        whatever their market time is. Realised P&L is gross less commissions, each as far as it is known.
        """
        self._hold(f"book {key.strategy} {key.account}")
        return self.peek(key, as_of)

    def read_last(self, key: BookKey, as_of: datetime) -> Book:
        """The book that an entry is committed on: nobody else of the account commits one until the transaction ends.

        Strategies share the limits of their account, so each sees the others' intents (decision 0033). It comes last:
        whoever holds the account neither asks the broker any more nor takes another strategy's book, so that nobody
        waits for long and no two wait for each other.
        """
        self.hold_account(key.account)
        return self.peek(key, as_of)

    def hold_account(self, account: str) -> None:
        """The same hold without a reading, for several entries that are committed together."""
        self._hold(f"account {account}")

    def _hold(self, name: str) -> None:
        """A statement of its own: the book must be read after the wait, not as of its beginning."""
        self._session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))

    def peek(self, key: BookKey, as_of: datetime) -> Book:
        """The same for people who look: nothing is decided from it, so nobody is waited for."""
        asked = {
            "strategy": key.strategy,
            "account": key.account,
            "session": key.session,
            "week_begins": key.session - timedelta(days=key.session.weekday()),
            "midnight": datetime(key.session.year, key.session.month, key.session.day, tzinfo=NEW_YORK),
            "as_of": as_of,
            "observed": key.observed,
            "live_trades": list(LIVE_TRADE_STATES),
            "live_intents": list(LIVE_INTENT_STATES),
        }
        return _to_book(self._session.execute(_BOOK, asked).mappings().one())


def _to_book(row: RowMapping) -> Book:
    return Book(
        open_trades=row["open_trades"],
        open_directions=frozenset(row["open_directions"] or ()),
        working_orders=row["working_orders"],
        entries_today=row["entries_today"],
        next_sequence=row["next_sequence"],
        spent_levels=frozenset((int(direction), level) for direction, level in row["spent_levels"]),
        sides=frozenset((con_id, side) for con_id, side in row["sides"]),
        last_exit_at=_utc(row["last_exit_at"]),
        last_entry_at=_utc(row["last_entry_at"]),
        strategy_realized_today_usd=plain_money(row["strategy_realized_today_usd"]),
        account_realized_today_usd=plain_money(row["account_realized_today_usd"]),
        open_maximum_loss_usd=plain_money(row["open_maximum_loss_usd"]),
        value_by_symbol_usd={symbol: plain_money(Decimal(usd)) for symbol, usd in row["value_by_symbol_usd"].items()},
        unseen_value_usd=plain_money(row["unseen_value_usd"]),
        orders_last_minute=row["orders_last_minute"],
        account_open_trades=row["account_open_trades"],
        account_opened_today=row["account_opened_today"],
        trades_today=row["trades_today"],
        trades_this_week=row["trades_this_week"],
        orders_today=row["orders_today"],
        signals_last_minute=row["signals_last_minute"],
        recent_orders=tuple(_recent(*fields) for fields in row["recent_orders"]),
        sale_proceeds_usd={
            date.fromisoformat(day): plain_money(Decimal(usd)) for day, usd in row["sale_proceeds_usd"].items()
        },
        unsettled_trades=tuple(
            UnsettledTrade(date.fromisoformat(bought), None if sold is None else date.fromisoformat(sold))
            for bought, sold in row["unsettled_trades"]
        ),
        peak_equity_usd=None if row["peak_equity_usd"] is None else plain_money(row["peak_equity_usd"]),
        halted_by=row["halted_by"] or _scheduler_refuses(row["scheduler"]),
        reconciled=row["reconciled"],
    )


def _scheduler_refuses(told: list[str] | None) -> str | None:
    return None if told is None else SchedulerSetting(SchedulerState(told[0]), set_by=told[1]).refuses_entries


def _recent(created_at: str, action: str, quantity: int, legs: list[JsonObject]) -> RecentOrder:
    at = datetime.fromisoformat(created_at).astimezone(UTC)
    return RecentOrder(fingerprint(action, quantity, legs_from_json(legs)), at)


def _utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)
