"""An adviser's login: groups, allocation profiles and aliases of its accounts, and how an order is shared out.

The first of the configured accounts is the adviser's master when its number begins with F after the paper login's D
(`DF1234567`); the others are its clients. Groups, profiles and aliases are XML as requestFA and replaceFA carry it
(https://interactivebrokers.github.io/tws-api/financial_advisor.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from enum import IntEnum
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from htbot.paper.errors import RequestError, invalid
from htbot.paper.store import Store

ALL_ACCOUNTS = "All"
UNKNOWN_ACCOUNTS = 10231
_ZERO = Decimal(0)
_DIGITS = 12
_MOST_PERCENT = 10_000
_AMOUNT = re.compile(rf"[0-9]{{1,{_DIGITS}}}(\.[0-9]{{0,{_DIGITS}}})?")
_PROFILE_METHODS = {"1": "Percent", "2": "Ratio", "3": "ContractsOrShares"}
_PROFILE_TYPES = {method: number for number, method in _PROFILE_METHODS.items()}
_METHODS = ("Equal", "EqualQuantity", "NetLiq", "AvailableEquity", "PctChange", "Percent", "Ratio", "ContractsOrShares")


class FaData(IntEnum):
    """What requestFA and replaceFA are about."""

    GROUPS = 1
    PROFILES = 2
    ALIASES = 3


@dataclass(frozen=True, slots=True)
class Group:
    """Accounts that trade together; `amounts` are the shares of a method that the user defines, else ones."""

    name: str
    accounts: tuple[str, ...]
    method: str
    amounts: tuple[Decimal, ...] = ()


@dataclass(frozen=True, slots=True)
class Funds:
    """What allocations are made by: an account's equity, free funds, and its position in the contract, signed."""

    net_liquidation: Decimal = _ZERO
    available: Decimal = _ZERO
    held: Decimal = _ZERO


@dataclass(frozen=True, slots=True)
class Allocation:
    """How an order asks to be shared out; `percentage` is for the method PctChange, `lot` the smallest part."""

    group: str
    method: str = ""
    percentage: Decimal | None = None
    lot: Decimal = Decimal(1)


@dataclass(slots=True)
class _Tables:
    groups: dict[str, Group] = field(default_factory=dict)
    profiles: dict[str, Group] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


class Advisor:
    """The accounts of the login; groups and profiles of an adviser are kept in the store as XML."""

    def __init__(self, store: Store, accounts: Sequence[str]) -> None:
        self._store = store
        self.master = next((account for account in accounts[:1] if account.startswith("DF")), None)
        self.clients = tuple(account for account in accounts if account != self.master)
        self._tables = _Tables({ALL_ACCOUNTS: Group(ALL_ACCOUNTS, self.clients, "NetLiq")})
        self._key = f"advisor {','.join(self.clients)}"  # tables name accounts: those of another login are not ours
        for number, text in json.loads(store.meta(self._key) or "{}").items():
            self._take(FaData(int(number)), text)

    @property
    def is_advisor(self) -> bool:
        """Whether the login is an adviser's."""
        return self.master is not None

    def members(self, name: str) -> tuple[str, ...] | None:
        """The accounts of a group or profile; None when there is none of that name."""
        found = self._tables.groups.get(name) or self._tables.profiles.get(name)
        return None if found is None else found.accounts

    # --- requestFA and replaceFA ----------------------------------------------------------------------------------

    def document(self, what: FaData) -> str:
        """The XML of one of the tables."""
        rows = _WRITERS[what](self._tables, self.clients)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{rows}\n'

    def replace(self, what: FaData, text: str) -> None:
        """Take a table from XML in place of the present one.

        Raises:
            RequestError: 321 for XML that is none of it, 10231 for accounts that are not the login's.
        """
        self._take(what, text)
        kept = json.loads(self._store.meta(self._key) or "{}")
        kept[str(what.value)] = text
        self._store.put_meta(self._key, json.dumps(kept))

    def _take(self, what: FaData, text: str) -> None:
        root = _parsed(text, _ROOTS[what])
        if what is FaData.ALIASES:
            aliases = {_text(row, "account"): _text(row, "alias") for row in root}
            self._check(aliases)
            self._tables.aliases = aliases
            return
        groups = [_group(row) if what is FaData.GROUPS else _profile(row) for row in root]
        self._check([account for group in groups for account in group.accounts])
        found = {group.name: group for group in groups}
        if what is FaData.GROUPS:
            self._tables.groups = {ALL_ACCOUNTS: self._tables.groups[ALL_ACCOUNTS], **found}
        else:
            self._tables.profiles = found

    def _check(self, accounts: Sequence[str] | Mapping[str, str]) -> None:
        strangers = sorted({account for account in accounts if account not in self.clients})
        if strangers:
            text = f"Groups and profiles contain accounts that are not managed here: {','.join(strangers)}"
            raise RequestError(UNKNOWN_ACCOUNTS, text)

    # --- orders ---------------------------------------------------------------------------------------------------

    def allocate(self, asked: Allocation, quantity: Decimal, funds_of: Callable[[str], Funds]) -> dict[str, Decimal]:
        """The units of an order for each account, in lots; they add up to `quantity` except by PctChange.

        PctChange changes every account's own position by a percentage, whatever the order's size says.

        Raises:
            RequestError: 321 for a group, a method or shares that cannot be used.
        """
        group = self._tables.groups.get(asked.group) or self._tables.profiles.get(asked.group)
        if group is None:
            raise invalid(f"Group '{asked.group[:40]}' does not exist: use one that requestFA lists")
        method = asked.method or group.method
        if method not in _METHODS:
            raise invalid(f"Allocation method '{method[:40]}' is not one of {', '.join(_METHODS)}")
        funds = [funds_of(account) for account in group.accounts]
        if method == "PctChange":
            return _by_percentage(group.accounts, funds, asked)
        weights = _weights(group, method, funds, quantity)
        if not sum(weights):
            raise invalid(f"Group '{group.name}' has no account to allocate to by {method}")
        return _shared(dict(zip(group.accounts, weights, strict=True)), quantity, asked.lot)


def _weights(group: Group, method: str, funds: Sequence[Funds], quantity: Decimal) -> list[Decimal]:
    if method == "NetLiq":
        return [max(_ZERO, fund.net_liquidation) for fund in funds]
    if method == "AvailableEquity":
        return [max(_ZERO, fund.available) for fund in funds]
    if method in {"Equal", "EqualQuantity"}:
        return [Decimal(1)] * len(funds)
    total = sum(group.amounts, _ZERO)
    if method == "ContractsOrShares" and total != quantity:
        raise invalid(f"Group '{group.name}' allocates {total:f} units but the order is for {quantity:f}")
    return list(group.amounts)


def _by_percentage(accounts: Sequence[str], funds: Sequence[Funds], asked: Allocation) -> dict[str, Decimal]:
    if asked.percentage is None or abs(asked.percentage) > _MOST_PERCENT:
        raise invalid(f"Allocation by PctChange needs a percentage of at most {_MOST_PERCENT}")
    share = abs(asked.percentage) / 100
    parts = {account: _whole(abs(fund.held) * share, asked.lot) for account, fund in zip(accounts, funds, strict=True)}
    return {account: part for account, part in parts.items() if part}


def _shared(weights: Mapping[str, Decimal], quantity: Decimal, lot: Decimal) -> dict[str, Decimal]:
    """Quantity by weight in whole lots; what is left over goes to the largest remainders, one lot each."""
    total = sum(weights.values(), _ZERO)
    exact = {account: quantity * weight / total for account, weight in weights.items()}
    parts = {account: _whole(part, lot) for account, part in exact.items()}
    rest = quantity - sum(parts.values(), _ZERO)
    for account in sorted(exact, key=lambda account: parts[account] - exact[account]):
        more = min(rest, lot)
        parts[account] += more
        rest -= more
    return {account: part for account, part in parts.items() if part}


def _whole(amount: Decimal, lot: Decimal) -> Decimal:
    return (amount / lot).quantize(Decimal(1), ROUND_DOWN) * lot


# --- XML ----------------------------------------------------------------------------------------------------------

_ROOTS = {
    FaData.GROUPS: "ListOfGroups",
    FaData.PROFILES: "ListOfAllocationProfiles",
    FaData.ALIASES: "ListOfAccountAliases",
}


def _parsed(text: str, root_name: str) -> ET.Element:
    if not text.strip():
        raise invalid("An XML string is required for this operation")
    if "<!" in text:
        raise invalid("XML with a document type or entities is not taken")
    try:
        root = ET.fromstring(text.encode())  # noqa: S314 - entities are refused above
    except (ET.ParseError, ValueError) as error:
        raise invalid(f"The XML cannot be read: {error}") from error
    if root.tag != root_name:
        raise invalid(f"The XML has <{root.tag[:40]}> where <{root_name}> belongs")
    return root


def _text(row: ET.Element, name: str) -> str:
    found = (row.findtext(name) or "").strip()
    if not found:
        raise invalid(f"The XML has <{row.tag[:40]}> without <{name}>")
    return found


def _shares(row: ET.Element, tag: str) -> tuple[tuple[str, ...], tuple[Decimal, ...]]:
    """Accounts with their amounts (1 where none is given), whichever way they are written."""
    accounts, amounts = [], []
    for item in row.iter():
        if item.tag == "String":
            accounts.append((item.text or "").strip())
            amounts.append(Decimal(1))
        elif item.tag == tag:
            accounts.append(_text(item, "acct"))
            amounts.append(_number(item.findtext("amount") or "1"))
    return tuple(accounts), tuple(amounts)


def _number(text: str) -> Decimal:
    """An amount of a share; plain digits alone, so that it can be written again."""
    if not _AMOUNT.fullmatch(text.strip()):
        raise invalid(f"The XML has the amount '{text[:20]}': it must be a number of at most {_DIGITS} digits")
    return Decimal(text.strip())


def _group(row: ET.Element) -> Group:
    accounts, amounts = _shares(row, "Account")
    return Group(_text(row, "name"), accounts, (row.findtext("defaultMethod") or "NetLiq").strip(), amounts)


def _profile(row: ET.Element) -> Group:
    accounts, amounts = _shares(row, "Allocation")
    method = _PROFILE_METHODS.get(_text(row, "type"))
    if method is None:
        raise invalid("The XML has a profile whose type is none of 1 (percent), 2 (ratio) and 3 (shares)")
    return Group(_text(row, "name"), accounts, method, amounts)


def _groups_xml(tables: _Tables, _clients: tuple[str, ...]) -> str:
    rows = []
    for group in tables.groups.values():
        if group.method in _PROFILE_TYPES:
            pairs = zip(group.accounts, group.amounts, strict=True)
            members = "".join(
                f"<Account><acct>{name}</acct><amount>{share:f}</amount></Account>" for name, share in pairs
            )
        else:
            members = "".join(f"<String>{account}</String>" for account in group.accounts)
        rows.append(
            f'<Group><name>{escape(group.name)}</name><ListOfAccts varName="list">{members}</ListOfAccts>'
            f"<defaultMethod>{escape(group.method)}</defaultMethod></Group>"
        )
    return _listed("ListOfGroups", rows)


def _profiles_xml(tables: _Tables, _clients: tuple[str, ...]) -> str:
    rows = []
    for profile in tables.profiles.values():
        pairs = zip(profile.accounts, profile.amounts, strict=True)
        parts = "".join(
            f"<Allocation><acct>{name}</acct><amount>{share:f}</amount></Allocation>" for name, share in pairs
        )
        rows.append(
            f"<AllocationProfile><name>{escape(profile.name)}</name><type>{_PROFILE_TYPES[profile.method]}</type>"
            f'<ListOfAllocations varName="listOfAllocations">{parts}</ListOfAllocations></AllocationProfile>'
        )
    return _listed("ListOfAllocationProfiles", rows)


def _aliases_xml(tables: _Tables, clients: tuple[str, ...]) -> str:
    rows = [
        f"<AccountAlias><account>{name}</account><alias>{escape(tables.aliases.get(name, name))}</alias></AccountAlias>"
        for name in clients
    ]
    return _listed("ListOfAccountAliases", rows)


def _listed(name: str, rows: Sequence[str]) -> str:
    return "\n".join([f"<{name}>", *rows, f"</{name}>"])


_WRITERS: dict[FaData, Callable[[_Tables, tuple[str, ...]], str]] = {
    FaData.GROUPS: _groups_xml,
    FaData.PROFILES: _profiles_xml,
    FaData.ALIASES: _aliases_xml,
}
