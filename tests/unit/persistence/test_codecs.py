from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.decisions import RuleOutcome
from htbot.domain.instruments import Right
from htbot.domain.orders import Purpose
from htbot.domain.signals import Leg, PlainLeg, SpreadLeg
from htbot.domain.trades import ExitRules
from htbot.persistence import codecs
from htbot.persistence.engine import to_json

MONEY = st.decimals(min_value=-10_000, max_value=10_000, places=2)
INSTANTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
LEGS = st.builds(
    SpreadLeg,
    con_id=st.integers(1, 2**31 - 1),
    symbol=st.sampled_from(["SPX", "SPY", "QQQ"]),
    expiry=st.dates(),
    strike=MONEY,
    right=st.sampled_from(Right),
    ratio=st.sampled_from([1, -1]),
    multiplier=st.integers(1, 1000),
)
RULES = st.builds(
    ExitRules,
    profit_target_usd=st.none() | MONEY,
    stop_loss_usd=st.none() | MONEY,
    exit_at=INSTANTS,
    flat_deadline=INSTANTS,
    pnl_basis=st.sampled_from(["mid", "natural"]),
    take_profit_fraction=st.none() | MONEY,
    stop_price=st.none() | MONEY,
    target_price=st.none() | MONEY,
)
SHARES = st.builds(PlainLeg, st.integers(1, 2**31 - 1), st.sampled_from(["SPY", "ZZZ"]), st.sampled_from([1, -1]))


@given(st.lists(LEGS | SHARES, max_size=4).map(tuple))
def test_legs_survive_json(legs: tuple[Leg, ...]) -> None:
    assert codecs.legs_from_json(json.loads(to_json(codecs.legs_to_json(legs)))) == legs


@given(RULES)
def test_exit_rules_survive_json(rules: ExitRules) -> None:
    assert codecs.rules_from_json(json.loads(to_json(codecs.rules_to_json(rules)))) == rules


@given(st.lists(st.builds(RuleOutcome, st.text(), st.booleans(), st.text(), st.text(), st.text()), max_size=3))
def test_outcomes_survive_json(outcomes: list[RuleOutcome]) -> None:
    raw = json.loads(to_json(codecs.outcomes_to_json(outcomes)))
    assert codecs.outcomes_from_json(raw) == tuple(outcomes)


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_survive_json_to_the_last_bit(numbers: dict[str, float]) -> None:
    assert json.loads(to_json(codecs.numbers_to_json(numbers))) == numbers


def test_evidence_becomes_plain_json() -> None:
    leg = SpreadLeg(11, "SPX", date(2022, 8, 26), Decimal(4150), Right.PUT, -1)
    raw = codecs.plain({"legs": (leg,), "purpose": Purpose.EXIT, "value": Decimal("-1.20"), "seen": True, "none": None})
    assert raw["legs"][0] == {
        "con_id": 11,
        "symbol": "SPX",
        "expiry": "2022-08-26",
        "strike": "4150",
        "right": "P",
        "ratio": -1,
        "multiplier": 100,
    }
    assert (raw["purpose"], raw["value"], raw["seen"], raw["none"]) == ("exit", "-1.20", True, None)


def test_evidence_without_an_agreed_text_is_refused() -> None:
    with pytest.raises(TypeError, match="timedelta has no JSON form"):
        codecs.plain({"age": timedelta(seconds=3)})


def test_equal_values_have_equal_text_and_nan_has_none() -> None:
    assert to_json({"b": 1, "a": 2}) == to_json({"a": 2, "b": 1}) == '{"a":2,"b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"a": float("nan")})


def test_every_field_of_the_nouns_is_kept() -> None:
    """A field that the domain gains and the codec forgets shows here."""
    leg = SpreadLeg(11, "SPX", date(2022, 8, 26), Decimal(4150), Right.PUT, -1)
    (kept,) = codecs.legs_to_json([leg])
    assert set(kept) == set(SpreadLeg.__slots__)
    now = datetime(2022, 8, 26, tzinfo=UTC)
    assert set(codecs.rules_to_json(ExitRules(Decimal(1), Decimal(1), now, now))) == set(ExitRules.__slots__)
    assert codecs.legs_from_json([kept]) == (replace(leg),)


def test_rules_from_before_there_were_prices_are_read() -> None:
    old = {"profit_target_usd": "400", "stop_loss_usd": "200", "pnl_basis": "mid", "take_profit_fraction": None}
    times = {"exit_at": "2022-08-26T19:00:00+00:00", "flat_deadline": "2022-08-26T19:45:00+00:00"}
    found = codecs.rules_from_json(old | times)
    assert (found.stop_loss_usd, found.stop_price, found.target_price) == (Decimal(200), None, None)
