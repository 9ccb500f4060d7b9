from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from ib_async import MarketOrder, Stock
from tests.support.paper_desk import PaperDesk, errors, of_kind
from tests.support.paper_world import SPY
from tests.support.tws_client import RawClient, order_message

from htbot.paper.accounts.advisor import Advisor, Allocation, FaData, Funds
from htbot.paper.errors import RequestError
from htbot.paper.store import Store

STOCK = Stock("SPY", "SMART", "USD")
ACCOUNTS = ("DF1111111", "DU1111111", "DU2222222", "DU3333333")
MASTER, FIRST, SECOND, THIRD = ACCOUNTS
GROUPS = f"""<?xml version="1.0" encoding="UTF-8"?>
<ListOfGroups>
<Group><name>Pair</name><ListOfAccts varName="list"><String>{FIRST}</String><String>{SECOND}</String></ListOfAccts>
<defaultMethod>Equal</defaultMethod></Group>
<Group><name>Shares &amp; more</name><ListOfAccts varName="list">
<Account><acct>{FIRST}</acct><amount>30</amount></Account><Account><acct>{THIRD}</acct><amount>70</amount></Account>
</ListOfAccts><defaultMethod>ContractsOrShares</defaultMethod></Group>
</ListOfGroups>"""
PROFILES = f"""<ListOfAllocationProfiles><AllocationProfile><name>Sixty</name><type>1</type>
<ListOfAllocations varName="listOfAllocations"><Allocation><acct>{FIRST}</acct><amount>60.0</amount></Allocation>
<Allocation><acct>{SECOND}</acct><amount>40.0</amount></Allocation></ListOfAllocations>
</AllocationProfile></ListOfAllocationProfiles>"""
FUNDS = {
    FIRST: Funds(Decimal(100), Decimal(10), Decimal(-50)),
    SECOND: Funds(Decimal(100), Decimal(0), Decimal(33)),
    THIRD: Funds(Decimal(300), Decimal(30), Decimal(0)),
}


@pytest.fixture
def advisor(tmp_path: Path) -> Advisor:
    made = Advisor(Store(tmp_path / "s"), ACCOUNTS)
    made.replace(FaData.GROUPS, GROUPS)
    made.replace(FaData.PROFILES, PROFILES)
    return made


@pytest.mark.parametrize(
    ("asked", "quantity", "parts"),
    [
        (Allocation("Pair"), 100, {FIRST: 50, SECOND: 50}),
        (Allocation("Pair"), 101, {FIRST: 51, SECOND: 50}),
        (Allocation("Pair"), 1, {FIRST: 1}),
        (Allocation("Pair", "NetLiq"), 10, {FIRST: 5, SECOND: 5}),
        (Allocation("Pair", "AvailableEquity"), 10, {FIRST: 10}),
        (Allocation("All"), 100, {FIRST: 20, SECOND: 20, THIRD: 60}),
        (Allocation("All", "AvailableEquity"), 100, {FIRST: 25, THIRD: 75}),
        (Allocation("Pair", "PctChange", Decimal(10)), 999, {FIRST: 5, SECOND: 3}),
        (Allocation("Shares & more"), 100, {FIRST: 30, THIRD: 70}),
        (Allocation("Sixty"), 10, {FIRST: 6, SECOND: 4}),
        (Allocation("Pair", lot=Decimal("0.1")), Decimal("0.5"), {FIRST: Decimal("0.3"), SECOND: Decimal("0.2")}),
    ],
)
def test_an_order_is_shared_out(
    advisor: Advisor, asked: Allocation, quantity: int | Decimal, parts: dict[str, int | Decimal]
) -> None:
    assert advisor.allocate(asked, Decimal(quantity), FUNDS.__getitem__) == parts


@pytest.mark.parametrize(
    "asked",
    [
        Allocation("Nobody"),
        Allocation("Pair", "Favourites"),
        Allocation("Pair", "PctChange"),
        Allocation("Pair", "PctChange", Decimal(10**17)),
        Allocation("Shares & more"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(advisor: Advisor, asked: Allocation) -> None:
    with pytest.raises(RequestError) as caught:
        advisor.allocate(asked, Decimal(99), FUNDS.__getitem__)
    assert caught.value.code == 321


def test_what_is_written_reads_the_same(advisor: Advisor, tmp_path: Path) -> None:
    for what in FaData:
        text = advisor.document(what)
        other = Advisor(Store(tmp_path / what.name), ACCOUNTS)
        other.replace(what, text)
        assert other.document(what) == text
    assert f"<alias>{FIRST}</alias>" in advisor.document(FaData.ALIASES)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 321),
        ("not XML", 321),
        ("<ListOfGroups><Group/></ListOfGroups>", 321),
        (PROFILES, 321),
        ('<!DOCTYPE x [<!ENTITY a "b">]><ListOfGroups/>', 321),
        (GROUPS.replace(THIRD, "DU9"), 10231),
        (GROUPS.replace("70", "many"), 321),
        (GROUPS.replace("70", "-70"), 321),
        (GROUPS.replace("70", "1E-999999"), 321),
    ],
    ids=["empty", "text", "no name", "other table", "entities", "stranger", "no number", "negative", "tiny"],
)
def test_xml_that_is_none_changes_nothing(advisor: Advisor, text: str, code: int) -> None:
    before = advisor.document(FaData.GROUPS)
    with pytest.raises(RequestError) as caught:
        advisor.replace(FaData.GROUPS, text)
    assert caught.value.code == code
    assert advisor.document(FaData.GROUPS) == before


# --- on the wire --------------------------------------------------------------------------------------------------


@pytest.fixture
def firm(make_desk: Callable[..., PaperDesk]) -> PaperDesk:
    return make_desk(accounts=ACCOUNTS)


def group_order(quantity: int, **fields: str) -> MarketOrder:
    return MarketOrder("BUY", quantity, **fields)


def quantities(desk: PaperDesk) -> dict[str, Decimal]:
    return {key[0]: position.quantity for key, position in desk.gateway.ledger.positions.items() if key[1] == SPY}


def test_the_master_is_named_first_and_has_no_money(firm: PaperDesk) -> None:
    client = firm.client()
    assert of_kind(client.first, 15)[0][2] == ",".join(ACCOUNTS)
    assert firm.gateway.valuer.value(MASTER).net_liquidation == 0
    assert of_kind(client.ask(80), 78) == [["78", "4", *[text for name in ACCOUNTS for text in (name, f"{MASTER}A")]]]


def test_groups_go_out_and_come_in(firm: PaperDesk) -> None:
    client = firm.client()
    [answer] = client.ask(18, 1, 1)
    assert answer[:3] == ["16", "1", "1"]
    assert "<name>All</name>" in answer[3]
    assert client.ask(19, 1, 1, GROUPS, 7)[0][:2] == ["103", "7"]
    assert "<name>Pair</name>" in client.ask(18, 1, 1)[0][3]
    firm.kill_and_open()
    assert "<name>Pair</name>" in firm.client().ask(18, 1, 1)[0][3]


def test_profiles_are_gone_for_newer_clients(firm: PaperDesk) -> None:
    assert errors(firm.client(1, high=178).ask(18, 1, 2))[0][1] == 321
    old = firm.client(2, high=176)
    assert old.ask(19, 1, 2, PROFILES, 8)[0][:2] == ["103", "8"]
    assert "<name>Sixty</name>" in old.ask(18, 1, 2)[0][3]
    assert errors(old.ask(18, 1, 9))[0][1] == 321


def test_a_group_order_fills_in_each_account(firm: PaperDesk) -> None:
    client = firm.client()
    client.ask(19, 1, 1, GROUPS, 7)
    client.place(1, STOCK, group_order(101, faGroup="Pair", faMethod="NetLiq"))
    messages = client.ask(49, 1)
    assert {fields[16]: fields[19] for fields in of_kind(messages, 11)} == {FIRST: "51", SECOND: "50"}
    assert quantities(firm) == {FIRST: 51, SECOND: 50}


def test_older_clients_name_a_profile(firm: PaperDesk) -> None:
    client = firm.client(high=176)
    client.ask(19, 1, 2, PROFILES, 8)
    client.ask(*order_message(1, STOCK, group_order(10, faProfile="Sixty"), 176))
    client.ask(49, 1)
    assert quantities(firm) == {FIRST: 6, SECOND: 4}


def test_an_order_needs_an_account_or_a_group(firm: PaperDesk) -> None:
    client = firm.client()
    assert errors(client.place(1, STOCK, MarketOrder("BUY", 1))) == [(1, 436)]
    assert errors(client.place(2, STOCK, MarketOrder("BUY", 1, account=MASTER))) == [(2, 436)]
    assert errors(client.place(3, STOCK, group_order(1, faGroup="Nobody"))) == [(3, 321)]


def test_summaries_of_a_group(firm: PaperDesk) -> None:
    client = firm.client()
    client.ask(19, 1, 1, GROUPS, 7)
    rows = of_kind(client.ask(62, 1, 4, "Pair", "NetLiquidation,$LEDGER"), 63)
    assert [row[3] for row in rows if row[4] == "NetLiquidation"] == [FIRST, SECOND]
    assert [row[3:6] for row in rows if row[4] == "CashBalance"] == [["Pair", "CashBalance", "200000.00"]]


def test_others_are_no_advisers(desk: PaperDesk) -> None:
    client: RawClient = desk.client()
    for request in ((18, 1, 1), (19, 1, 1, GROUPS, 7)):
        [message] = of_kind(client.ask(*request), 4)
        assert message[3] == "321"
        assert "ignored for non FA customers" in message[4]
    assert errors(client.place(1, STOCK, group_order(1, faGroup="Pair"))) == [(1, 321)]
