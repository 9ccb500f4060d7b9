from __future__ import annotations

import json

import pytest
from tests.support import record

from htbot.alerts.document import FIELDS, encode, source_of
from htbot.domain.alerts import Alert


def test_the_schema_is_the_one_that_was_promised() -> None:
    told = json.loads(encode("17", record.alert(params={"trade_id": "t1"})))
    assert tuple(told) == FIELDS
    assert told == {
        "id": "17",
        "type": "entry",
        "severity": "INFO",
        "source": "htbot",
        "follower_id": None,
        "account": record.ACCOUNT,
        "message": "bull put",
        "params": {"subject": "HTBot Alert: Trade Entry", "trade_id": "t1"},
        "ts": "2022-08-26T16:00:00+00:00",
        "dedup_key": "entry-1",
    }


def test_no_account_is_null() -> None:
    assert json.loads(encode("1", record.alert(account="")))["account"] is None


@pytest.mark.parametrize(
    ("alert", "source"),
    [
        (record.alert(kind="program", params={"program": "desk"}), "desk"),
        (record.alert(kind="error.reconciliation"), "reconciliation"),
        (record.alert(kind="trade_exit"), "htbot"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_the_source_is_the_part_that_it_is_about(alert: Alert, source: str) -> None:
    assert source_of(alert) == source
