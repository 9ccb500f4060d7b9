"""Backtests: started, watched and stopped as on the dashboard. One runs at a time, in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Path, Query

from htbot.api.auth import Operator, require
from htbot.api.parts import Key, Parts, caller
from htbot.api.schemas.backtests import BacktestBody
from htbot.bootstrap.backtest_jobs import JobView
from htbot.domain.errors import NotFound
from htbot.services.strategy_reads import TypeView
from htbot.services.tokens import Role

router = APIRouter(tags=["backtests"], dependencies=[Depends(require(Role.VIEWER))])
_ID = r"^[A-Za-z0-9-]{1,64}$"
RunId = Annotated[str, Path(pattern=_ID, description="id of the backtest")]


@dataclass(frozen=True, slots=True)
class BacktestView:
    """A backtest; `state` is running, done, failed or stopped, `share` how much is done (0 to 1), `at` wall time.

    `data` are names of files, none: the synthetic market. `metrics` are the figures in the words of its report.
    """

    id: str
    strategy: str
    symbol: str
    data: list[str]
    start: date | None
    end: date | None
    cash: Decimal
    settings: dict[str, str]
    by: str
    at: datetime
    state: str
    share: float
    error: str | None
    metrics: dict[str, str]


@router.post("/api/trading/backtest", status_code=HTTPStatus.ACCEPTED, summary="Start a backtest")
@router.post("/api/backtesting/run", status_code=HTTPStatus.ACCEPTED, summary="Start a backtest")
def run(parts: Parts, principal: Operator, body: BacktestBody, key: Key = None) -> BacktestView:
    """The key, of letters, digits and dashes, becomes its id. 409 while another one runs; the newest 20 are kept."""
    parts.strategy_reads.require_fit(body.strategy, body.symbol.upper(), body.settings)
    return _view(parts.backtests.start(body.order(), caller(principal, key or str(uuid4()))))


@router.get("/api/backtesting/runs", summary="Backtests, newest first")
def runs(parts: Parts) -> list[BacktestView]:
    """Those that are kept."""
    return [_view(job) for job in parts.backtests.all()]


@router.get("/api/backtesting/runs/{run_id}", summary="One backtest: how far it is, and what came of it")
def one(parts: Parts, run_id: RunId) -> BacktestView:
    """The dashboard has its report."""
    return _view(parts.backtests.get(run_id))


@router.post("/api/backtesting/runs/{run_id}/stop", summary="Stop a backtest")
def stop(parts: Parts, principal: Operator, run_id: RunId, key: Key = None) -> BacktestView:
    """One that has ended stays as it is."""
    return _view(parts.backtests.stop(run_id, caller(principal, key)))


@router.get("/api/backtesting/metrics", summary="The figures of a backtest that is done")
def metrics(
    parts: Parts,
    run_id: Annotated[str | None, Query(alias="run", pattern=_ID, description="which one; default: the newest")] = None,
) -> BacktestView:
    """404 while none is."""
    chosen = parts.backtests.all() if run_id is None else [parts.backtests.get(run_id)]
    done = next((job for job in chosen if job.state == "done"), None)
    if done is None:
        raise NotFound("no such backtest is done: POST /api/backtesting/run starts one")
    return _view(done)


@router.get("/api/backtesting/strategies", summary="What can be played over history, with its settings")
def strategies(parts: Parts) -> list[TypeView]:
    """Those of `GET /api/strategies`."""
    return parts.strategy_reads.types()


@router.get("/api/backtesting/files", summary="Data files that a backtest can run over")
def files(parts: Parts) -> list[str]:
    """Names of Parquet and CSV files in the data folder."""
    return parts.backtests.files()


def _view(job: JobView) -> BacktestView:
    """A job without the paths of this machine."""
    order = job.order
    names = {path: path.rpartition("/")[2] for path in order.data}
    error = job.error
    for path, name in names.items():
        error = error and error.replace(path, name)
    return BacktestView(
        id=job.id,
        strategy=order.strategy,
        symbol=order.symbol,
        data=list(names.values()),
        start=order.start,
        end=order.end,
        cash=order.cash,
        settings=dict(order.settings),
        by=job.by,
        at=job.at,
        state=job.state,
        share=job.share,
        error=error,
        metrics=dict(job.summary),
    )
