"""Asking the broker, through the desk, what an order would do to the account's margin (spec 02 section 5)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from redis import RedisError

from htbot.domain.errors import HtbotError
from htbot.domain.margin import MarginQuestion, WhatIf

WITHIN_S = 12.0
"""The broker has ten seconds; the desk and Redis share the rest."""

_log = logging.getLogger(__name__)
AskMargin = Callable[[MarginQuestion], WhatIf]


class Requests(Protocol):
    """Data requests to the desk (`htbot.adapters.live.LiveReader`)."""

    def ask(self, kind: str, params: Mapping[str, object], timeout_s: float = 5.0) -> Any:
        """The desk's answer."""
        ...


def ask_margin(live: Requests, question: MarginQuestion) -> WhatIf:
    """The broker's answer. One that does not come is unknown, with the reason; nothing is asked twice."""
    try:
        return WhatIf.of_texts(live.ask("whatif", question.as_params(), WITHIN_S))
    except (HtbotError, RedisError, KeyError, ArithmeticError) as error:
        _log.warning("no margin for %s %s: %s", question.quantity, question.symbol, error)
        return WhatIf(unknown=str(error) or type(error).__name__)
