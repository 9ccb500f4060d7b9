"""Which account a person looks at, where the desk trades several: one of them, or all together.

With one account nothing of this is shown. Readings by account are mappings; all together stand under None where a sum
means something.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from htbot.dashboard.parts.markup import Column, Part, tag
from htbot.services.status_view import StatusView

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

_COLUMN = Column("Account")


def traded(screen: Screen) -> list[str]:
    """Every account that the desk trades, the main one first; empty while that is not known."""
    status: StatusView | None = screen.value("status")
    return [] if status is None else status.accounts


def chosen(screen: Screen) -> str | None:
    """The account that is looked at; None: all of several, or none is known."""
    known = traded(screen)
    if len(known) == 1:
        return known[0]
    return screen.look.account if screen.look.account in known else None


def several(screen: Screen) -> bool:
    """True where more than one is looked at, so that each figure has to say whose it is."""
    return len(traded(screen)) > 1 and chosen(screen) is None


def looked_at(screen: Screen) -> list[str | None]:
    """The accounts whose figures are shown, one by one."""
    return list(traded(screen)) if several(screen) else [chosen(screen)]


def of_chosen(screen: Screen, topic: str) -> Any:
    """What a reading by account says of what is looked at; None while it is not known."""
    found = screen.value(topic)
    return None if found is None else found.get(chosen(screen))


def rows(screen: Screen, topic: str) -> list[Any]:
    """The rows of a list of each account that belong to what is looked at."""
    return of_chosen(screen, topic) or []


def only(screen: Screen, found: Sequence[Any]) -> list[Any]:
    """Those that belong to what is looked at."""
    if len(traded(screen)) < 2:
        return list(found)
    return [one for one in found if chosen(screen) in {None, one.account}]


def columns(screen: Screen, plain: Sequence[Column]) -> Sequence[Column]:
    """Those of a table, the account as the second where several are shown."""
    return (*plain[:1], _COLUMN, *plain[1:]) if several(screen) else plain


def cells(screen: Screen, account: str, plain: Sequence[Part]) -> Sequence[Part]:
    """Those of a row, likewise."""
    return (*plain[:1], account or "all", *plain[1:]) if several(screen) else plain


def label(screen: Screen, account: str) -> Markup | None:
    """The account of one thing among those of several."""
    return tag("span", f" {account}", cls="note account") if several(screen) else None


def named(screen: Screen, account: str) -> Markup | None:
    """The account of a message: those of all of them are shown, whichever is looked at. None of what is of no one."""
    return tag("span", f" {account}", cls="note account") if account and len(traded(screen)) > 1 else None


def under(screen: Screen, account: str) -> Markup | None:
    """The account below the name of a row, in a table that has no room for a column of it."""
    return tag("span", account, cls="note under-name") if several(screen) else None


def chooser(screen: Screen) -> Markup:
    """All, or one of them: a plain list that `dashboard.js` serves; nothing with one account."""
    known = traded(screen)
    if len(known) < 2:
        return Markup("")
    now = chosen(screen)
    choices = [tag("option", "All accounts", value="", selected=now is None)]
    choices += [tag("option", one, value=one, selected=one == now) for one in known]
    return tag("select", choices, id="account-switch", aria_label="Account", title="Whose figures are shown")
