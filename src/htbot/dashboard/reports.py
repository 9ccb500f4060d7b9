"""Reports of backtests: pages of their own, without scripts, which the dashboard shows in a frame."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from htbot.bootstrap.backtest_jobs import BacktestJobs
from htbot.dashboard.session import PATH
from htbot.domain.errors import NotFound

router = APIRouter(prefix=PATH, include_in_schema=False)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
}


@router.get("/reports/{job_id}")
async def report(request: Request, job_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$")]) -> Response:
    """The report of a backtest that is done."""
    jobs: BacktestJobs = request.app.state.backtests
    try:
        job = await asyncio.to_thread(jobs.get, job_id)
    except NotFound as error:
        return PlainTextResponse(str(error), HTTPStatus.NOT_FOUND)
    if job.report is None:
        return PlainTextResponse(f"backtest {job_id} has no report: it is {job.state}", HTTPStatus.NOT_FOUND)
    return HTMLResponse(await asyncio.to_thread(job.report.read_text, "utf-8"), headers=_HEADERS)
