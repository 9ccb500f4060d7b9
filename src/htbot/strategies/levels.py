"""What strategies at price levels share: how near a price is, and what a signal there is worth (`domain.numeric`)."""

from __future__ import annotations

from htbot.domain.numeric import UNKNOWN, known

DAY_STRENGTH = 0.9
"""Strength of the high and the low of the day before."""


def above(price: float, level: float, proximity: float) -> bool:
    """The price is at the level or above it, by at most `proximity` of the level."""
    return level <= price and price - level <= proximity * level


def below(price: float, level: float, proximity: float) -> bool:
    """The price is at the level or below it, by at most `proximity` of the level."""
    return price <= level and level - price <= proximity * level


def reward_to_risk(price: float, stop: float, target: float) -> float:
    """Distance to the target over distance to the stop; UNKNOWN where one is, or the stop is no distance away."""
    risk = abs(price - stop)
    return abs(target - price) / risk if risk > 0.0 else UNKNOWN


def nearness(price: float, level: float, proximity: float) -> float:
    """1 at the level, 0 at `proximity` of the level away from it."""
    return 1.0 - abs(price - level) / (proximity * level)


def confidence(near: float, volume: float, strength: float) -> float:
    """0.5 + 0.3 * nearness + 0.2 * volume + 0.2 * strength, at most 1 (spec 03 section 6a).

    `volume` is the volume as a share of what is asked for, of which 1 counts at most, and an unknown one as nothing.
    """
    heard = min(volume, 1.0) if known(volume) else 0.0
    return min(1.0, 0.5 + 0.3 * near + 0.2 * heard + 0.2 * strength)
