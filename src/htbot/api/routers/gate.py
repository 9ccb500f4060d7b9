"""Risk under the seed's paths: what the gate would say, what binds the account, what it carries."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from htbot.api.auth import Admin, Operator, require
from htbot.api.parts import Chosen, Key, Parts, caller, request_of
from htbot.api.schemas.filters import AccountQuery
from htbot.api.schemas.requests import PinBody, TradeSignalBody
from htbot.services.halting import HaltAnswer
from htbot.services.manual_signal import Judged
from htbot.services.risk_rules import OF_REGULATION, RuleView
from htbot.services.risk_standing import AccountMode, PortfolioRisk
from htbot.services.risk_view import RiskView
from htbot.services.tokens import Role

router = APIRouter(prefix="/api/risk", tags=["risk"], dependencies=[Depends(require(Role.VIEWER))])
_JUDGE = "What the gate would say of a vertical spread; nothing is recorded or traded, but the broker is asked"


@router.post("/validate-trade", summary=_JUDGE)
@router.post("/evaluate", summary=_JUDGE)
def judge(parts: Parts, _principal: Operator, body: TradeSignalBody) -> Judged:
    """Every rule with limit and value up to the one that refuses.

    The desk streams the legs for it and asks the broker for the margin, under an order id of ours: so for operators.
    """
    return parts.manual_signals.judge(request_of(body))


@router.get("/status", summary="The breaker: day's P&L, limits, drawdown, what has tripped")
def status(parts: Parts, chosen: Chosen) -> RiskView:
    """The same as `GET /risk/metrics`."""
    return parts.queries.risk(chosen.account)


@router.get("/compliance", summary="Rules of broker and regulator with limit and value")
def compliance(parts: Parts) -> list[RuleView]:
    """Those of `GET /api/v1/risk` on day trades, settlement, delivery and how often is traded."""
    return parts.risk_rules.rules(OF_REGULATION)


@router.get("/account-mode", summary="Cash or margin, and the rule on day trades that binds")
def account_mode(parts: Parts, account: AccountQuery = None) -> AccountMode:
    """409 while nobody tells the account's figures; 404 for one that the desk does not trade."""
    return parts.risk_rules.account_mode(account)


@router.get("/portfolio-risk", summary="What the account carries, against its limits")
def portfolio(parts: Parts, account: AccountQuery = None) -> PortfolioRisk:
    """409 while nobody tells the account's figures; 404 for one that the desk does not trade."""
    return parts.risk_rules.portfolio(account)


@router.post("/reset-circuit-breaker", summary="Lift the trips of the breaker")
def reset(parts: Parts, principal: Admin, body: PinBody, key: Key = None) -> HaltAnswer:
    """The same as `POST /api/v1/risk/breaker/reset`."""
    return parts.commands.reset_breaker(caller(principal, key), body.pin.get_secret_value())
