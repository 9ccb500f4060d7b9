"""Strategies on plain instruments: the types that there are, and instances of them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from htbot.api.auth import Operator, require
from htbot.api.parts import Key, Parts, caller
from htbot.api.schemas.strategies import AddBody, EvaluateBody, ModeBody, SettingsBody
from htbot.persistence.queries.shapes import SignalView
from htbot.services.strategies import NewStrategy
from htbot.services.strategy_reads import (
    InstanceView,
    LookRequest,
    LookView,
    StrategyStats,
    TypeView,
    instance_view,
)
from htbot.services.tokens import Role

router = APIRouter(prefix="/api/strategies", tags=["strategies"], dependencies=[Depends(require(Role.VIEWER))])
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="name of the instance")]


@router.get("", summary="The types that instances can be made of, with their settings")
def types(parts: Parts) -> list[TypeView]:
    """Settings as a list and as JSON Schema."""
    return parts.strategy_reads.types()


@router.post("/add", status_code=HTTPStatus.CREATED, summary="Add an instance")
def add(parts: Parts, principal: Operator, body: AddBody, key: Key = None) -> InstanceView:
    """It counts from the next evaluation on, when it is enabled. It observes: signals are stored, nothing is sent."""
    asked = NewStrategy(body.name, body.type, body.symbol, body.settings, body.enabled, account=body.account)
    return instance_view(parts.strategies.add(asked, caller(principal, key)))


@router.get("/active", summary="Instances that are enabled, with what each said last")
def active(parts: Parts) -> list[InstanceView]:
    """Enabled instances."""
    return parts.strategy_reads.instances(enabled_only=True)


@router.get("/instances", summary="All instances, with what each said last")
def instances(parts: Parts) -> list[InstanceView]:
    """Enabled or not."""
    return parts.strategy_reads.instances()


@router.get("/stats", summary="Signals and trades of each strategy, counted")
def stats(parts: Parts) -> list[StrategyStats]:
    """Instances, and every other strategy that has signalled or traded."""
    return parts.strategy_reads.stats()


@router.get("/signals/recent", summary="The last signals, newest first")
def recent_signals(
    parts: Parts,
    strategy: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="only of this one")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="the newest so many")] = 50,
) -> list[SignalView]:
    """Signals of all accounts, accepted, refused and observed."""
    return parts.strategy_reads.recent_signals(limit, strategy)


@router.post("/evaluate", summary="What a strategy says now; nothing is stored")
def evaluate(parts: Parts, body: EvaluateBody) -> LookView:
    """Folds an instance, or a type with settings, over the stored bars as an evaluation would."""
    return parts.strategy_reads.evaluate(LookRequest(body.name, body.type, body.symbol, body.settings))


@router.get("/{name}", summary="One instance with every setting in force")
def instance(parts: Parts, name: Name) -> InstanceView:
    """An instance."""
    return parts.strategy_reads.instance(name)


@router.post("/{name}/settings", summary="Change settings of an instance")
def change(parts: Parts, principal: Operator, name: Name, body: SettingsBody, key: Key = None) -> InstanceView:
    """Its state is folded anew from there on; `unset` gives settings their defaults back."""
    changed = parts.strategies.change(name, body.settings, caller(principal, key), body.unset)
    return instance_view(changed)


@router.post("/{name}/enable", summary="Enable an instance")
def enable(parts: Parts, principal: Operator, name: Name, key: Key = None) -> InstanceView:
    """It begins anew: what it would have held before is forgotten."""
    return instance_view(parts.strategies.switch(name, caller(principal, key), enabled=True))


@router.post("/{name}/disable", summary="Disable an instance")
def disable(parts: Parts, principal: Operator, name: Name, key: Key = None) -> InstanceView:
    """It is evaluated no more."""
    return instance_view(parts.strategies.switch(name, caller(principal, key), enabled=False))


@router.post("/{name}/mode", summary="Watch an instance only, or let it trade")
def set_mode(parts: Parts, principal: Operator, name: Name, body: ModeBody, key: Key = None) -> InstanceView:
    """It begins anew. 400 for settings that cannot be traded, 409 while a trade of it is not over."""
    return instance_view(parts.strategies.set_mode(name, body.mode, caller(principal, key)))


@router.delete("/{name}", summary="Forget an instance")
def remove(parts: Parts, principal: Operator, name: Name, key: Key = None) -> InstanceView:
    """Its evaluations and signals stay; answers with what it was."""
    return instance_view(parts.strategies.remove(name, caller(principal, key)))
