"""How the system is, without Prometheus."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import APIRouter, Depends

from htbot.api.auth import require
from htbot.api.guard import LARGEST_HEAD, MOST_HEADERS
from htbot.api.parts import Parts
from htbot.api.rooms import LIMITS
from htbot.services import doorman, pin
from htbot.services.monitoring import DetailedHealth, HealthView, SystemCounts, UsageView
from htbot.services.tokens import Role

router = APIRouter(prefix="/api/monitoring", tags=["monitoring"], dependencies=[Depends(require(Role.VIEWER))])


@dataclass(frozen=True, slots=True)
class ClassLimits:
    """Of a class of routes: calls worked on at once, waiting, of one client address; bytes of a body."""

    at_once: int
    queue: int
    share: int
    body_bytes: int


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What this API turns away; limits of orders and signals are rules of the gate (`GET /api/v1/risk`)."""

    wrong_tokens: int
    wrong_tokens_window_s: float
    wrong_pins: int
    wrong_pins_window_s: float
    head_bytes: int
    headers: int
    classes: dict[str, ClassLimits]


@router.get("/health", summary="The whole system in a word")
def health(parts: Parts) -> HealthView:
    """Answers whatever is away."""
    return parts.monitoring.health()


@router.get("/health/detailed", summary="The same with processes, workers, tasks and undelivered alerts")
def detailed(parts: Parts) -> DetailedHealth:
    """Answers whatever is away; what the record does not tell then is null."""
    return replace(parts.monitoring.detailed(), door_age_s=parts.doorman.rounds_age_s())


@router.get("/metrics", summary="Counts over the whole record, as JSON")
def metrics(parts: Parts) -> SystemCounts:
    """`GET /metrics` has them for Prometheus."""
    return parts.monitoring.counts()


@router.get("/rate-limits", summary="What this API turns away")
def rate_limits() -> RateLimits:
    """The limits in force."""
    return RateLimits(
        wrong_tokens=doorman.MOST_WRONG_TRIES,
        wrong_tokens_window_s=doorman.WINDOW_S,
        wrong_pins=pin.MOST_WRONG_TRIES,
        wrong_pins_window_s=float(pin.WINDOW_S),
        head_bytes=LARGEST_HEAD,
        headers=MOST_HEADERS,
        classes={
            kind.value: ClassLimits(limits.at_once, limits.queue, limits.share, limits.body)
            for kind, limits in LIMITS.items()
        },
    )


@router.get("/usage", summary="How much room is taken")
def usage(parts: Parts) -> UsageView:
    """Of the record, the disk and this process."""
    return parts.monitoring.usage()
