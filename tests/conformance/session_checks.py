"""Connection, ids, time."""

from __future__ import annotations

import re

from .client import REFUSED, Client
from .registry import Checks

checks = Checks("Session")


@checks("handshake", "the version is the lower of the client's highest and 178")
def version(c: Client) -> None:
    assert c.server_version in {157, 176, 178}, c.server_version


@checks("handshake", "the connection time is a time")
def connection_time(c: Client) -> None:
    told = c.connection_time
    assert told is None or re.match(r"\d{8} \d\d:\d\d:\d\d", told), told


@checks("startApi", "accounts and the first order id come, then the farms are said to be well")
def start(c: Client) -> None:
    names = [event.name for event in c.events]
    assert names.index("managedAccounts") < names.index("error")
    [first] = [event.args[0] for event in c.events if event.name == "nextValidId"][:1]
    assert first >= 1
    assert re.match(r"D[UF]\w+", c.account())
    notes = {event.args[1] for event in c.events if event.name == "error" and event.args[0] == -1}
    assert {2104, 2106, 2158} <= notes, notes


@checks("startApi", "a client id that is in use is refused, the first stays")
def id_in_use(c: Client) -> int:
    other = c.another()
    try:
        other.open(c.port, c.client_id)
    except REFUSED:
        pass
    else:
        other.until(lambda: other.since(0, "closed", "connectionClosed"), "end of the second session")
    finally:
        codes = [event.args[1] for event in other.events if event.name == "error"]
        other.close()
    assert codes[:1] == [326], codes
    c.settle()
    return 326


@checks("startApi", "an id is free again after the end of its connection")
def id_free_again(c: Client) -> None:
    first = c.another()
    first.open(c.port, 77)
    first.settle()
    first.close()
    c.opened_again(77).close()


@checks("startApi", "other clients see the same account and their own order ids")
def second_client(c: Client) -> None:
    other = c.another()
    other.open(c.port, 78)
    assert other.account() == c.account()
    other.close()


@checks("reqCurrentTime", "market time, and it runs")
def current_time(c: Client) -> None:
    first = c.now()
    c.pause(5)
    assert first + 5 <= c.now() < first + 6000


@checks("reqIds", "an id not below the ones before")
def ids(c: Client) -> None:
    before = max(event.args[0] for event in c.events if event.name == "nextValidId")
    [answer] = [e for e in c.plain("reqIds", 1, until="nextValidId") if e.name == "nextValidId"]
    assert answer.args[0] >= before


@checks("reqManagedAccts", "the list of accounts")
def managed(c: Client) -> None:
    [answer] = [e for e in c.plain("reqManagedAccts", until="managedAccounts") if e.name == "managedAccounts"]
    assert answer.args[0].split(",")[0] == c.account()


@checks("setServerLogLevel", "taken without an answer")
def log_level(c: Client) -> None:
    position = c.call("setServerLogLevel", 5)
    c.settle()
    assert c.errors(position) == []


@checks("reqAutoOpenOrders", "only client 0 may")
def auto_open(c: Client) -> int:
    position = c.call("reqAutoOpenOrders", True)
    c.until(lambda: c.errors(position), "error")
    assert c.errors(position) == [327]
    return 327


@checks("reqAutoOpenOrders", "client 0 may")
def auto_open_zero(c: Client) -> None:
    zero = c.opened_again(0)
    position = zero.call("reqAutoOpenOrders", True)
    zero.settle()
    codes = zero.errors(position)
    zero.close()
    assert codes == []


@checks("queryDisplayGroups", "the groups as numbers")
def display_groups(c: Client) -> None:
    got = c.request("queryDisplayGroups", until="displayGroupList")
    [(groups,)] = got.of("displayGroupList")
    assert re.fullmatch(r"\d+(\|\d+)*", groups), groups


@checks("subscribeToGroupEvents", "the contract shown, and each change of it; unsubscribe ends it")
def group_events(c: Client) -> None:
    got = c.request("subscribeToGroupEvents", 1, until="displayGroupUpdated")
    position = c.call("updateDisplayGroup", got.id, "756733@SMART")
    c.until(lambda: c.more(got.id, position).of("displayGroupUpdated"), "displayGroupUpdated")
    assert c.more(got.id, position).of("displayGroupUpdated") == [("756733@SMART",)]
    c.call("unsubscribeFromGroupEvents", got.id)
    c.settle()


@checks("reqUserInfo", "white branding, empty for most", since=167)
def user_info(c: Client) -> None:
    c.request("reqUserInfo", until="userInfo")
