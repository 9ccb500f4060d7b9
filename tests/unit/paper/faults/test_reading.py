from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from tests.support.paper_world import DAYS, SESSIONS

from htbot.domain.errors import CallerMistake
from htbot.paper.faults.kinds import KINDS, Reject, Restart
from htbot.paper.faults.reading import fields_of, read_fault, reader_of, words_to_fields
from htbot.paper.faults.values import MOMENT, resolved

NEW_YORK = ZoneInfo("America/New_York")


def read(line: str) -> object:
    name, *words = line.split()
    return read_fault(name, words_to_fields(words))


def test_a_fault_is_read_with_its_selection() -> None:
    fault = read("reject symbol=SPY action=sell above=100 times=always probability=0.5")
    assert fault == Reject(symbol="SPY", action="SELL", above=Decimal(100), times=None, probability=0.5)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_documents_itself_and_its_example_is_accepted(kind: type[Reject]) -> None:
    fault = read(f"{kind.name} {kind.example}")
    assert isinstance(fault, kind)
    assert kind.effect.endswith(".")
    assert read_fault(kind.name, fields_of(fault)) == fault
    for field in fields(kind):
        assert field.metadata["meaning"]
        assert reader_of(field).allowed


MISTAKES = {
    "rejct": "unknown fault 'rejct'; did you mean reject?: drop-order, ",
    "reject simbol=SPY": "reject has no field 'simbol'; did you mean symbol?: at, ",
    "reject above=many": "reject: above=many is not a quantity from 0 to 1000000000",
    "reject above=nan": "reject: above=nan is not a quantity from 0 to 1000000000",
    "reject above=1e999999": "reject: above=1e999999 is not a quantity from 0 to 1000000000",
    "reject above=1e-999999": "reject: above=1e-999999 is not a quantity from 0 to 1000000000",
    "reject at=9999-12-31T23:59:59-12:00": "reject: at=9999-12-31T23:59:59-12:00 is not a New York time",
    "reject times=0": "reject: times=0 is not a whole number from 1 to 1000000, or always",
    "reject probability=nan": "reject: probability=nan is not a share from 0 to 1",
    "reject action=HOLD": "reject: action=HOLD is not BUY or SELL",
    "reject at=25:00": "reject: at=25:00 is not a New York time such as 10:32:30, or an ISO time such as ",
    "reject at=2026-13-04T10:00": "reject: at=2026-13-04T10:00 is not a New York time",
    "reject reason=": "reject: reason= is not printable text",
    "outage for_s=-1": "outage: for_s=-1 is not seconds from 0 to 604800",
    "outage data=half": "outage: data=half is not kept or lost",
    "restart daily=maybe at=10:00": "restart: daily=maybe is not yes or no",
    "restart daily=yes": "restart: daily=yes needs at, such as at=23:45",
    "restart now": "'now' is not FIELD=VALUE, such as symbol=SPY",
    "restart for_s=1 for_s=2": "field 'for_s' is given twice: keep one",
}


@pytest.mark.parametrize(("line", "told"), MISTAKES.items(), ids=MISTAKES)
def test_a_mistake_is_one_line_with_the_way_out(line: str, told: str) -> None:
    with pytest.raises(CallerMistake) as caught:
        read(line)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_control_characters_of_a_mistake_are_not_repeated() -> None:
    with pytest.raises(CallerMistake) as caught:
        read_fault("reject", {"reason": "a\x1b[2J" + "b" * 500})
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 150


def test_a_time_of_day_is_its_next_occurrence_on_a_session_day() -> None:
    now = datetime(2024, 1, 2, 10, 0, tzinfo=NEW_YORK)
    assert DAYS[1].day == 3
    assert resolved(MOMENT.read("10:00"), now, SESSIONS) == now
    assert resolved(MOMENT.read("10:32:30"), now, SESSIONS) == now.replace(minute=32, second=30)
    assert resolved(MOMENT.read("09:59"), now, SESSIONS) == now.replace(day=3, hour=9, minute=59)
    assert resolved(MOMENT.read("09:59"), now.replace(day=3), SESSIONS) is None
    assert resolved(MOMENT.read("2024-01-02T09:00"), now, SESSIONS) == now.replace(hour=9)
    assert resolved(MOMENT.read("2024-01-02T15:00:30Z"), now, SESSIONS) == now.replace(second=30)


def test_a_daily_event_keeps_its_time() -> None:
    fault = read("restart at=23:45 daily=yes ids_back=4")
    assert isinstance(fault, Restart)
    assert fields_of(fault) == {"at": "23:45:00", "daily": "yes", "ids_back": "4"}
