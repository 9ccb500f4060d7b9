"""Whose accounts the desk follows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from htbot.desk.accounts import choose_account, follow
from htbot.domain.errors import StopTrading


@dataclass
class Login:
    accounts: tuple[str, ...] = ("DU1",)
    connected: bool = True

    def account_value(self, account: str, tag: str) -> str | None:
        return f"{tag} of {account}"


THREE = Login(("DU1", "DU2", "DU3"))


def test_the_only_account_is_taken() -> None:
    assert choose_account(Login(), None) == "DU1"


def test_a_configured_account_is_taken_from_several() -> None:
    assert choose_account(Login(("DU1", "DU2")), "DU2") == "DU2"


@pytest.mark.parametrize(("accounts", "wanted"), [(("DU1", "DU2"), None), ((), None), (("DU1",), "DU2")])
def test_an_unclear_account_is_refused_by_name(accounts: tuple[str, ...], wanted: str | None) -> None:
    with pytest.raises(StopTrading, match="IB_ACCOUNT"):
        choose_account(Login(accounts), wanted)


def test_the_main_account_comes_first_and_once() -> None:
    assert follow(THREE, "DU2", ("DU1", "DU2"), {}).all == ("DU2", "DU1")
    assert follow(Login(), None, (), {}).all == ("DU1",)


def test_an_account_that_is_missing_costs_the_others_nothing() -> None:
    followed = follow(THREE, "DU2", ("DU4", "DU1"), {"DU1": ["t1"]})
    assert (followed.traded, followed.left) == (("DU2", "DU1"), ())
    [trouble] = followed.troubles
    assert trouble == "IB_ACCOUNTS=DU4 is not in this login (DU1, DU2, DU3): nothing is entered there"


def test_what_an_account_holds_is_ended_though_it_is_configured_no_longer() -> None:
    followed = follow(THREE, "DU2", (), {"DU2": ["t1"], "DU1": ["t2", "t3"]})
    assert (followed.traded, followed.left, followed.all) == (("DU2",), ("DU1",), ("DU2", "DU1"))
    assert followed.troubles == ("account DU1 is not in IB_ACCOUNTS and holds trade t2, t3: only ended",)


def test_a_trade_that_nobody_can_guard_is_told_by_name() -> None:
    followed = follow(THREE, "DU2", (), {"DU9": ["t9"]})
    assert followed.all == ("DU2",)
    [trouble] = followed.troubles
    assert trouble.startswith("nobody guards trade t9: account DU9 is not in this login")
