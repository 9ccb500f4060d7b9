"""What a trade's life on the desk leaves to be read: `why`, the audit of the record, the books made again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.orm import Session
from tests.support.desk import World
from tests.support.record import ACCOUNT, SHORT, at

from htbot.desk.record import DeskRecord
from htbot.desk.recovery import Look
from htbot.domain.orders import ExitReason, OrderState
from htbot.domain.trades import TradeState
from htbot.execution.disagreement import Patience, Standing, Verdict
from htbot.execution.messages import CommissionMessage, LegExecutionMessage, OpenOrderMessage
from htbot.execution.reconciliation import FindingKind
from htbot.persistence.queries.why import Step, explain
from htbot.persistence.repositories import ReconciliationRepository
from htbot.services.anchors import AnchorFile
from htbot.services.audit import Audit, AuditParts
from htbot.services.bookings import Booking, Execution
from htbot.services.trade_record import manual_decision, request_exit


def steps(world: World, trade_id: str) -> dict[str, Step]:
    with world.database.transaction() as session:
        told = explain(session, trade_id)
    assert told is not None
    return {step.step: step for step in told.steps}


def audit(world: World, tmp_path: Path) -> Audit:
    return Audit(AuditParts(world.database, AnchorFile(tmp_path / "audit.head"), lambda: world.now, lambda _s: None))


@pytest.mark.ruling(6)
async def test_why_tells_the_ladder_the_doubt_and_the_exit_with_its_quotes(world: World, tmp_path: Path) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    for _ in range(3):  # nobody sells at the first limits
        world.after(market_s=6)
        await desk.turn()
    desk.desk.orders.doubt_all("reconnected")
    await desk.doubt_silent()
    await desk.look_up(after_s=1)
    world.broker.fill(intent.ref, "-4.10")
    world.broker.report_commissions(intent.ref)
    await desk.hear()
    world.broker.quotes[SHORT.con_id] = (8.60, 8.70)
    world.after(market_s=2)
    await desk.turn()
    (leaving,) = world.exits(intent.trade_id)
    world.broker.fill(leaving.intent.ref, "-6.70")
    world.broker.report_commissions(leaving.intent.ref)
    await desk.hear()

    told = steps(world, intent.trade_id)
    entry, exit_ = told["order"].values[intent.ref], told["order"].values[leaving.intent.ref]
    limits = [Decimal(limit) for limit in entry["limits"]]
    assert len(limits) >= 3
    assert limits == sorted(limits), "a credit gives way step by step"
    assert entry["perm_ids"] == {str(entry["perm_id"]): "FILLED"}
    assert exit_["state"] == "FILLED"
    states = [change["state"] for change in told["intent"].values[intent.ref]["life"] if "state" in change]
    assert states[:3] == ["PENDING", "CLAIMED", "SENDING"]
    assert states[-1] == "FILLED"
    evidence = told["intent"].values[leaving.intent.ref]["evidence"]
    assert (evidence["limit"], evidence["value"]) == ("-200.00", "-260.00")
    assert {quote["con_id"]: (quote["bid"], quote["ask"]) for quote in evidence["marks"]}[SHORT.con_id] == (
        "8.60",
        "8.70",
    )
    assert {"limit", "value", "passed", "reason", "rule"} <= set(told["decision"].values["open_trade"])
    assert told["pnl"].values["rules"]["stop_loss_usd"] == "200"
    report = audit(world, tmp_path).verify()
    assert report.problems == []
    assert audit(world, tmp_path).rebuild().differences == []


async def test_a_doubt_and_its_look_up_are_in_the_intents_life(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    world.after(host_s=11)
    desk.session.connected = True
    live = next(iter(desk.desk.orders.live))
    live.state = OrderState.SENDING
    await desk.doubt_silent()
    await desk.look_up(after_s=1)
    told = steps(world, intent.trade_id)["intent"]
    life = told.values[intent.ref]["life"]
    assert [(change.get("state"), change.get("reason")) for change in life][-2:] == [
        ("UNKNOWN", "no answer within 10 s"),
        ("WORKING", "looked up"),
    ]
    assert "in doubt once" in told.summary


@pytest.mark.fault(26)
@pytest.mark.fault(34)
async def test_the_rest_of_a_partial_fill_that_came_while_we_were_away_is_booked_once(
    world: World, tmp_path: Path
) -> None:
    desk = await world.desk()
    intent = world.enter(quantity=3)
    await desk.turn()
    world.broker.fill(intent.ref, "-4.25", 1)
    await desk.hear()
    assert len(world.fills(intent.ref)) == 2
    desk.session.deaf = True
    world.broker.fill(intent.ref, "-4.20", 1)
    world.broker.fill(intent.ref, "-4.15", 1)
    world.broker.report_commissions(intent.ref)
    desk.session.deaf = False
    for _ in range(2):
        await desk.look_up(after_s=1)
    fills = world.fills(intent.ref)
    assert len({fill.exec_id for fill in fills}) == len(fills) == 6
    assert sum(fill.signed_quantity for fill in fills if fill.con_id == SHORT.con_id) == -3
    trade = world.trade(intent.trade_id)
    assert (trade.quantity, trade.credit) == (3, Decimal("4.20"))
    assert audit(world, tmp_path).rebuild().differences == []
    assert audit(world, tmp_path).verify().problems == []


class Writes:
    """Counts what the desk writes about executions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counted: Counter[str] = Counter()
        for name in ("settle_refs", "settle_executions"):
            monkeypatch.setattr(DeskRecord, name, self._counting(name, getattr(DeskRecord, name)))
        book = DeskRecord.book

        def booked(record: DeskRecord, session: Session, bookings: Sequence[Booking]) -> list[bool]:
            self.counted.update(type(one).__name__ for one in bookings)
            return book(record, session, bookings)

        monkeypatch.setattr(DeskRecord, "book", booked)

    def _counting(self, name: str, write: Callable[..., object]) -> Callable[..., object]:
        def counted(record: DeskRecord, session: Session, due: Sequence[object]) -> object:
            self.counted[name] += len(due)
            return write(record, session, due)

        return counted

    def since(self) -> dict[str, int]:
        """Writes since the last call."""
        counted, self.counted = dict(self.counted), Counter()
        return counted


async def test_executions_that_are_told_again_cost_no_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Writes(monkeypatch)
    desk = await world.desk()
    await desk.opened()
    assert writes.since() == {"Execution": 2, "Charge": 2}
    for _ in range(3):
        await desk.look_up(after_s=1)
    assert writes.since() == {}


async def test_a_commission_that_changes_back_before_it_is_written_is_the_one_that_stands(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    exec_id = world.fills(intent.ref)[0].exec_id
    for amount in ("0.65", "1.23", "0.65", "1.23"):
        desk.desk.fold(CommissionMessage(exec_id, Decimal(amount)))
    await desk.desk.ledger.settle()
    held = desk.desk.book.get(intent.trade_id)
    assert held is not None
    assert held.fills[exec_id].commission == world.fills(intent.ref)[0].commission == Decimal("1.23")
    assert held.trade == world.trade(intent.trade_id)


async def test_a_new_desk_books_nothing_again_and_settles_each_ended_order_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    decision = manual_decision(ExitReason.MANUAL, world.now, "a test")
    with world.database.transaction() as session:
        assert request_exit(session, intent.trade_id, decision) is not None
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    world.broker.fill(exit_.intent.ref)
    world.broker.report_commissions(exit_.intent.ref)
    await desk.hear()
    assert world.trade(intent.trade_id).state is TradeState.CLOSED
    desk.die()
    writes = Writes(monkeypatch)
    again = await world.desk()
    assert writes.since() == {"settle_refs": 2}
    await again.look_up(after_s=1)
    assert writes.since() == {}
    assert len(world.fills(intent.ref)) == len(world.fills(exit_.intent.ref)) == 2


async def test_a_fill_that_was_booked_by_a_desk_that_died_before_it_settled_opens_its_trade(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    desk.session.deaf = True
    world.broker.fill(intent.ref, "-4.25", 1)
    desk.die()
    with world.database.transaction() as session:  # the dead desk came as far as this
        record = DeskRecord(desk.desk.trading.record.epoch, desk.desk.trading.record.client_id)
        for message in await desk.session.executions():
            if isinstance(message, LegExecutionMessage):
                record.book(session, [Execution(message.fill, world.now)])
    again = await world.desk()
    await again.look_up(after_s=20)
    assert world.trade(intent.trade_id).state is TradeState.OPEN
    assert [trade.id for trade in again.desk.guard.trades] == [intent.trade_id]


async def test_a_look_is_judged_and_written_down(world: World) -> None:
    desk = await world.desk()
    await desk.opened()
    recovery = desk.desk._recovery
    assert recovery is not None
    standings: dict[str, Standing] = {}
    verdicts = []
    for minute in range(3):
        view = await recovery.look_up(world.now)
        if minute == 1:  # the short leg is gone, and a person has an order of his own
            mine = OpenOrderMessage("", 0, 0, 4711, ACCOUNT, "Submitted", Decimal(1), 1)
            view = replace(view, holdings=[h for h in view.holdings if h.con_id != SHORT.con_id], orders=[mine])
        look = Look("interval", at_rest=True, patience=Patience())
        judgement, standings[ACCOUNT] = (await recovery.judge(view, standings, at(10 + minute), look))[ACCOUNT]
        verdicts.append(judgement.verdict)
    assert verdicts == [Verdict.AGREE, Verdict.DIFFER, Verdict.HEALED]
    with world.database.transaction() as session:
        runs = ReconciliationRepository(session).recent()[::-1][1:]  # the first is the desk's own, of its start
    assert [(run.matched, run.differing, run.foreign) for run in runs] == [(2, 0, 0), (1, 1, 1), (2, 0, 0)]
    assert [item.kind for item in runs[1].items] == [FindingKind.PHANTOM, FindingKind.FOREIGN_ORDER]
    assert [world.mails(kind) for kind in ("error.reconciliation", "error.foreign", "reconciliation.healed")] == [
        1,
        1,
        1,
    ]
