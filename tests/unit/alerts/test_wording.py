from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support import bought, plain
from tests.support.spreads import AS_OF, LONG, SHORT, entry_fills, exit_fills, signal, trade

from htbot.alerts.broker_away import connection_alert, outage_alert
from htbot.alerts.message import Fact, Message, compose, summary_of
from htbot.alerts.wording import entry_alert, error_alert, exit_alert, unsold_alert
from htbot.domain.alerts import Severity
from htbot.domain.instruments import Right
from htbot.domain.orders import ExitReason
from htbot.domain.signals import Direction
from htbot.domain.trades import TradeState

CLOSED = replace(
    trade(),
    closed_at=AS_OF + timedelta(hours=1, minutes=2, seconds=3),
    debit=Decimal("0.20"),
    exit_reason=ExitReason.PROFIT_TARGET,
    gross_pnl_usd=Decimal(400),
    commissions_usd=Decimal("4.40"),
    max_gain_usd=Decimal("412.50"),
)


def test_entry() -> None:
    alert = entry_alert(trade(), signal(), entry_fills(), AS_OF)
    assert alert.subject == "HTBot Alert: Trade Entry - sold 1 SPX 4150/4110 put for 420.00 USD"
    assert alert.dedup_key == "trade_entry:spx_breakout-DU100001-20220826-1"
    assert alert.text == (
        "2022-08-26 10:32:30 EDT\n"
        "\n"
        "Sold 1 SPX bull put spread, 4150/4110 put, for 4.20. Maximum loss: 3,580.00 USD.\n"
        "\n"
        "Strategy:      spx_breakout\n"
        "Account:       DU100001\n"
        "Direction:     bullish: bull put spread\n"
        "Underlying:    SPX at 4191.25\n"
        "Level broken:  4190.50 (above the day's high)\n"
        "Trend:         up\n"
        "RSI's EMA:     52.31\n"
        "Leg 1:         BUY 1 SPX 2022-08-26 4110 put, conId 12, at 1.90\n"
        "Leg 2:         SELL 1 SPX 2022-08-26 4150 put, conId 11, at 6.10\n"
        "Net credit:    4.20 per unit, 420.00 USD\n"
        "Maximum loss:  3,580.00 USD\n"
        "Profit target: 400.00 USD\n"
        "Stop:          200.00 USD: closed when buying the spread back costs 6.20, 2.00 points above the credit\n"
        "Closed by:     15:00 EDT\n"
        "Signal:        the open bar's high 4191.25 is above the day's high 4190.50\n"
    )


def test_numbers_that_a_strategy_looked_at_have_names_and_counts_are_whole() -> None:
    looked_at = {"bars": 672.0, "rsi": 48.5, "sma_long": 101.25, "own_number": 1.0}
    text = entry_alert(trade(), replace(signal(), indicators=looked_at), entry_fills(), AS_OF).text
    told = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    named = {name: told[name].strip() for name in ("Bars seen", "RSI", "Long mean of closes", "Own number")}
    assert named == {"Bars seen": "672", "RSI": "48.50", "Long mean of closes": "101.25", "Own number": "1.00"}


def test_a_bought_option_is_told_by_its_price() -> None:
    held = bought.trade("1.00", quantity=2)
    alert = entry_alert(held, signal(), [], AS_OF)
    text = alert.text
    assert alert.subject.endswith("- bought 2 SPX 4260 call for 200.00 USD")
    assert "Bought 2 SPX 4260 call at 1.00." in text
    assert "Maximum loss:  200.00 USD" in text
    assert "Profit target: sold when it turns above 3 times its price" in text
    assert "Level broken" not in text
    done = replace(held, closed_at=AS_OF, debit=Decimal("-3.50"), exit_reason=ExitReason.PROFIT_TARGET)
    told = exit_alert(done, [], AS_OF).text
    assert "Closed 2 SPX 4260 call: profit target, " in told
    assert "Exit price:   3.50" in told


def test_a_bear_entry_sells_calls() -> None:
    legs = (
        replace(LONG, right=Right.CALL, strike=Decimal(4230)),
        replace(SHORT, right=Right.CALL, strike=Decimal(4190)),
    )
    alert = entry_alert(replace(trade(), direction=Direction.BEAR, legs=legs), signal(Direction.BEAR), [], AS_OF)
    assert "Sold 1 SPX bear call spread, 4190/4230 call, for 4.20." in alert.text
    assert "below the day's low" in alert.text
    assert "SELL SPX 2022-08-26 4190 call, conId 11, fill not known yet" in alert.text


def test_an_entry_by_hand_names_no_level_and_no_trend() -> None:
    strikes = {"strike_long": 4110.0, "strike_short": 4150.0}
    by_hand = replace(
        signal(), level=1.0, levels=strikes, trend=0, indicators={}, reason="by hand: long 4110, short 4150"
    )
    told = entry_alert(trade(), by_hand, entry_fills(), AS_OF).text
    assert "Level" not in told
    assert "Trend" not in told
    assert "Signal:        by hand: long 4110, short 4150\n" in told


def test_a_level_that_is_no_high_or_low_of_the_day_was_not_broken() -> None:
    by_means = replace(signal(), level=4020.5)
    told = entry_alert(trade(), by_means, entry_fills(), AS_OF).text
    assert "Level broken" not in told
    assert "Trend:         up\n" in told


def test_the_sentence_of_a_message_is_found_again() -> None:
    assert summary_of(entry_alert(trade(), signal(), entry_fills(), AS_OF).text) == (
        "Sold 1 SPX bull put spread, 4150/4110 put, for 4.20. Maximum loss: 3,580.00 USD."
    )
    bare = Message("k", Severity.INFO, "Title", "Summary.", AS_OF, "key")
    assert summary_of(compose(bare).text) == "Summary."
    assert summary_of("no message of ours") == ""


def test_exit() -> None:
    alert = exit_alert(CLOSED, exit_fills(), CLOSED.closed_at or AS_OF)
    assert alert.subject == "HTBot Alert: Trade Exit - profit target: SPX +395.60 USD"
    assert alert.text.startswith(
        "2022-08-26 11:34:33 EDT\n\nClosed 1 SPX bull put spread, 4150/4110 put: profit target, +395.60 USD.\n"
    )
    for line in (
        "Leg 1:           SELL 1 SPX 2022-08-26 4110 put, conId 12, at 0.05",
        "Leg 2:           BUY 1 SPX 2022-08-26 4150 put, conId 11, at 0.25",
        "Bought back for: 0.20",
        "Gross P&L:       400.00 USD",
        "Commissions:     4.40 USD",
        "Net P&L:         395.60 USD",
        "Maximum gain:    412.50 USD",
        "Duration:        1:02:03",
    ):
        assert line in alert.text.splitlines()


def test_what_is_unknown_is_said_to_be() -> None:
    alert = exit_alert(replace(CLOSED, commissions_usd=None, exit_reason=ExitReason.STOP_LOSS), [], AS_OF)
    assert alert.subject == "HTBot Alert: Trade Exit - stop loss: SPX +400.00 USD before commissions"
    assert "Commissions:     not known yet" in alert.text
    assert "Net P&L:         not known yet" in alert.text


@pytest.mark.parametrize("reason", ExitReason)
def test_every_reason_has_its_words(reason: ExitReason) -> None:
    subject = exit_alert(replace(CLOSED, exit_reason=reason), [], AS_OF).subject
    assert subject.startswith("HTBot Alert: Trade Exit - ")
    assert "_" not in subject


def test_connection() -> None:
    lost = connection_alert(False, "1100: connectivity between IB and the gateway is lost", AS_OF)
    back = connection_alert(True, "1102", AS_OF)
    assert (lost.subject, lost.kind, lost.severity) == (
        "HTBot Alert: Connection Lost - nothing is open",
        "connection_lost",
        Severity.CRITICAL,
    )
    assert (back.subject, back.kind, back.severity) == (
        "HTBot Alert: Connection Restored",
        "connection_restored",
        Severity.INFO,
    )
    assert lost.dedup_key != back.dedup_key


def test_who_reads_of_an_outage_learns_what_is_at_stake_and_what_to_do() -> None:
    told = outage_alert(AS_OF - timedelta(minutes=15), timedelta(minutes=15), "1100", AS_OF, held=[trade(), trade()])
    assert told.subject == ("HTBot Alert: Broker Away for 15 Minutes - 2 trades are open, at most 7,160.00 USD to lose")
    assert "Open:       1 SPX bull put spread, 4150/4110 put (spx_breakout-DU100001-20220826-1, DU100001)" in told.text
    assert "What to do:" in told.text
    unknown = connection_alert(False, "1100", AS_OF, held=[replace(trade(), credit=None)])
    assert "1 trade is open, at most an unknown sum to lose" in unknown.subject


def test_an_error_says_what_it_means_and_what_to_do() -> None:
    """At night, on a phone: the subject has the trade, the text has a way out."""
    told = error_alert("close failed", "the exit before it has ended", AS_OF, trade_id="spx-1")
    assert told.subject == "HTBot Alert: Close Failed - spx-1"
    assert summary_of(told.text) == "A trade should be closed by now and is still open."
    assert "What to do: compare `htbot positions` with the broker's own app" in told.text
    for source, title in (
        ("strategy dip", "Strategy dip Disabled"),
        ("risk what_if", "Risk: what if"),
        ("moon", "System Error - moon"),
    ):
        assert error_alert(source, "why", AS_OF).subject == f"HTBot Alert: {title}"


def test_errors_of_one_source_are_one_kind() -> None:
    first, second = error_alert("desk", "a", AS_OF), error_alert("desk", "b", AS_OF + timedelta(seconds=1))
    assert first.kind == second.kind == "error.desk"
    assert first.dedup_key != second.dedup_key


def test_an_error_says_whose_it_is() -> None:
    mine, other = (error_alert("P&L mismatch", "40 USD", AS_OF, account=account) for account in ("DU1", "DU2"))
    assert (mine.account, other.account) == ("DU1", "DU2")
    assert "Account:    DU1" in mine.text
    assert mine.dedup_key != other.dedup_key


def test_html_is_escaped() -> None:
    alert = error_alert("desk", "<script>alert('x')</script> & more", AS_OF)
    assert "<script>" not in alert.html
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; more" in alert.html


@pytest.mark.parametrize("field", ["title", "account", "dedup_key"])
@pytest.mark.parametrize("poison", ["a\r\nBcc: x@example.org", "a\nb", "a\rb", "a\x00b"])
def test_faults_55_header_values_refuse_line_breaks(field: str, poison: str) -> None:
    message = Message("k", Severity.INFO, "Title", "Summary.", AS_OF, "key", [Fact("a", "b")])
    with pytest.raises(ValueError, match="cannot be a mail header"):
        compose(replace(message, **{field: poison}))


def test_winter_time_has_its_own_zone() -> None:
    assert error_alert("desk", "x", AS_OF + timedelta(days=120)).text.startswith("2022-12-24 09:32:30 EST\n")


def test_shares_are_told_in_words_of_shares() -> None:
    opened = replace(plain.trade(leg=plain.SHORT), credit=Decimal("400.00"), state=TradeState.OPEN)
    fired = replace(signal(Direction.BEAR), symbol="SPY", price=400.01, reason="the close fell below its average")
    told = entry_alert(opened, fired, [], AS_OF)
    assert "Sold short 100 SPY at 400.00." in told.text
    for line in ("Direction:     bearish: shares, short", "Entry price:   400.00", "Maximum loss:  200.00 USD"):
        assert line in told.text
    assert "Profit target: at 396" in told.text
    assert "Stop:          at 402" in told.text
    assert "Level broken" not in told.text
    closed = replace(
        opened,
        state=TradeState.CLOSED,
        closed_at=opened.opened_at + timedelta(minutes=5),
        debit=Decimal("402.00"),
        exit_reason=ExitReason.STOP_LOSS,
        gross_pnl_usd=Decimal(-200),
    )
    ended = exit_alert(closed, [], AS_OF)
    assert "Closed 100 SPY shares, short: stop loss, -200.00 USD before commissions." in ended.text
    assert "Exit price:   402.00" in ended.text
    assert "Gross P&L:    -200.00 USD" in ended.text


def test_a_level_that_was_not_sold_says_why_and_what_closes_the_trade() -> None:
    alert = unsold_alert(plain.trade(), 2, "the broker has never seen it", AS_OF)
    assert alert.subject == "HTBot Alert: Profit Level 2 Not Sold: SPY, 100 of 100 held"
    assert "came to profit level 2 and nothing was sold: the broker has never seen it." in alert.text
    assert f'POST /api/v1/manual-close with {{"position_ids": ["{plain.trade().id}"]}}' in alert.text
    assert "htbot flatten --yes" in alert.text
