"""Orders as tasks: they write intents for the desk and never talk to a broker.

`enter_trade` decides again at its instant, through the same gate as `read_market`; `exit_trade` closes the trade that
its key names. Twice the same message is one effect, as for every task.
"""

from __future__ import annotations

from htbot.domain.orders import ExitReason
from htbot.services.schedule import EXIT_TRADE
from htbot.services.trade_record import manual_decision, request_exit
from htbot.tasks.app import app
from htbot.tasks.base import Run, register
from htbot.tasks.market_reader_tasks import look_at_market

ENTER_TRADE = "htbot.tasks.order_tasks.enter_trade"


enter_trade = register(app, ENTER_TRADE, look_at_market)


def _exit_trade(run: Run) -> str:
    decision = manual_decision(ExitReason.MANUAL, run.as_of, "exit_trade")
    stored = request_exit(run.transaction, run.key, decision)
    return "nothing to close" if stored is None else stored.intent.ref


exit_trade = register(app, EXIT_TRADE, _exit_trade)
