"""The book's reports on their way to clients, as faults let them through."""

from __future__ import annotations

from htbot.paper.book.orders import Execution, PaperOrder
from htbot.paper.faults.conduct import Conduct
from htbot.paper.reports import ClientReports


class HeardReports:
    """`Reports` that pass what no fault holds back, once or twice. `telling` False holds back everything."""

    def __init__(self, reports: ClientReports, faults: Conduct) -> None:
        self._reports = reports
        self._faults = faults
        self.telling = True

    def order_changed(self, order: PaperOrder) -> None:
        """Pass on that an order changed."""
        for _ in range(self._copies(order)):
            self._reports.order_changed(order)

    def executed(self, executions: list[Execution], order: PaperOrder | None) -> None:
        """Pass on executions."""
        for _ in range(self._copies(order)):
            self._reports.executed(executions, order)
        if order is not None and self._faults.in_force:
            self._faults.filled(executions, order)

    def charged(self, executions: list[Execution], order: PaperOrder | None) -> None:
        """Pass on commissions."""
        if order is None or not self._faults.in_force:
            self.release(executions, order)
        elif self._faults.is_last_word(executions, order):
            self._reports.charged(executions, order)
        elif not self._faults.withholds(executions, order):
            self.release(executions, order)

    def release(self, executions: list[Execution], order: PaperOrder | None) -> None:
        """Pass on commissions that may be told now."""
        for _ in range(self._copies(order)):
            self._reports.charged(executions, order)

    def order_error(self, order: PaperOrder, code: int, text: str) -> None:
        """Pass on an error or note about an order."""
        for _ in range(min(1, self._copies(order))):
            self._reports.order_error(order, code, text)

    def _copies(self, order: PaperOrder | None) -> int:
        faults = self._faults
        if not self.telling:
            return 0
        if order is None or not faults.in_force:
            return 1
        if faults.is_silent(order):
            return 0
        return 2 if faults.is_doubled(order) else 1
