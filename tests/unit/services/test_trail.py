from __future__ import annotations

from datetime import UTC, datetime

from htbot.services.trail import TradingSwitch

AT = datetime(2026, 11, 19, 15, 0, tzinfo=UTC)


def test_each_flip_is_one_act_and_looks_between_are_none() -> None:
    switch = TradingSwitch("desk")
    looks = [
        (False, "starting"),
        (False, "starting"),
        (True, None),
        (True, "ignored while enabled"),
        (False, "connection lost"),
        (False, "books and broker disagree"),
        (True, None),
    ]
    acts = [switch.flipped(AT, enabled=enabled, reason=reason) for enabled, reason in looks]
    assert [None if act is None else (act.action, act.subject, act.detail["before"]) for act in acts] == [
        ("trading.disabled", "starting", None),
        None,
        ("trading.enabled", "", False),
        None,
        ("trading.disabled", "connection lost", True),
        ("trading.disabled", "books and broker disagree", False),
        ("trading.enabled", "", False),
    ]
    assert {act.actor for act in acts if act is not None} == {"desk"}
