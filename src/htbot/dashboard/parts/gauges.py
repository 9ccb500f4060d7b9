"""Bars that show where a figure stands between two limits. Each says the same in words for who cannot see it."""

from __future__ import annotations

from decimal import Decimal

from markupsafe import Markup

from htbot.dashboard.parts.markup import join, tag
from htbot.dashboard.parts.numbers import money, percent, price, tone
from htbot.persistence.queries.shapes import OpenTradeView


def trade(view: OpenTradeView) -> Markup:
    """The P&L of an open trade on its way between stop and target; empty for one that lacks either."""
    if view.stop is None or view.target is None:
        return Markup("")
    low, high = -abs(view.stop), view.target
    said = f"P&L {money(view.pnl_mid, sign=True)} between stop {money(low)} and target {money(high, sign=True)}"
    most = most_gained(view)
    best = _mark(most, low, high, "best", "best so far") if most is not None else None
    return tag(
        "div",
        _bar(view.pnl_mid, low, high, said, best),
        tag(
            "div",
            tag("span", tag("b", "Stop "), money(low), cls="loss"),
            tag("span", money(Decimal(0), cents=False), cls="at-zero"),
            tag("span", tag("b", "Target "), money(high, sign=True), cls="gain"),
            cls="scale",
            style=f"--zero:{_share(Decimal(0), low, high):.2f}%",
        ),
        cls="gauge",
    )


def most_gained(view: OpenTradeView) -> Decimal | None:
    """The best so far in USD: the record hears of a gain with the next mark, and the P&L beside it is newer."""
    if view.max_gain is None:
        return None
    return view.max_gain if view.pnl_mid is None else max(view.max_gain, view.pnl_mid)


def day(total: Decimal | None, loss_limit: Decimal) -> Markup:
    """The day's P&L against the loss at which trading stops; as far to the right as it may fall to the left."""
    low, high = -abs(loss_limit), abs(loss_limit)
    said = f"day's P&L {money(total, sign=True)}, loss limit {money(low)}"
    return tag(
        "div",
        _bar(total, low, high, said, None),
        tag(
            "div",
            tag("span", tag("b", "Limit "), money(low), cls="loss"),
            tag("span", money(Decimal(0), cents=False), cls="at-zero"),
            tag("span", money(high, sign=True)),
            cls="scale",
            style="--zero:50%",
        ),
        cls="gauge",
    )


def span(low: float | None, high: float | None, value: float | None) -> Markup:
    """A price within the range of the day."""
    if low is None or high is None or value is None or high <= low:
        return Markup("")
    said = f"{price(value)} within the day's range {price(low)} to {price(high)}"
    needle = tag("span", cls="needle", style=f"left:{_share(Decimal(str(value)), _d(low), _d(high)):.2f}%")
    return tag("div", tag("div", needle, cls="track plain", role="img", aria_label=said), cls="gauge")


def level(value: Decimal | float | None, limit: Decimal | float | None, said: str) -> Markup:
    """How much of a limit is used; empty when either is unknown."""
    if value is None or not limit:
        return Markup("")
    used = min(max(float(value) / float(limit), 0.0), 1.0)
    return _filled(used, "used full" if used >= 1 else "used near" if used >= 0.75 else "used", said)


def progress(share: float) -> Markup:
    """How much of something is done, from 0 to 1: the nearer to its end, the better."""
    return _filled(share, "used", f"{percent(100 * share, 0)} done")


def _filled(share: float, cls: str, said: str) -> Markup:
    filled = tag("span", cls=cls, style=f"width:{share * 100:.1f}%")
    return tag("div", filled, cls="track level", role="img", aria_label=said)


def _bar(value: Decimal | None, low: Decimal, high: Decimal, said: str, extra: Markup | None) -> Markup:
    zero = _share(Decimal(0), low, high)
    inside: list[Markup] = [tag("span", cls="zero", style=f"left:{zero:.2f}%")]
    if value is not None:
        at = _share(value, low, high)
        left, width = min(zero, at), abs(at - zero)
        inside.append(tag("span", cls=f"filled {tone(value)}", style=f"left:{left:.2f}%;width:{width:.2f}%"))
        inside.append(tag("span", cls=f"needle {tone(value)}", style=f"left:{at:.2f}%"))
    return tag("div", join(inside), extra, cls="track", role="img", aria_label=said)


def _mark(value: Decimal, low: Decimal, high: Decimal, cls: str, title: str) -> Markup:
    return tag(
        "span", cls=cls, title=f"{title}: {money(value, sign=True)}", style=f"left:{_share(value, low, high):.2f}%"
    )


def _share(value: Decimal, low: Decimal, high: Decimal) -> float:
    """Where a value stands, in percent of the way; what is beyond an end stands at the end."""
    if high <= low:
        return 50.0
    return float(min(max((value - low) / (high - low), Decimal(0)), Decimal(1)) * 100)


def _d(value: float) -> Decimal:
    return Decimal(str(value))
