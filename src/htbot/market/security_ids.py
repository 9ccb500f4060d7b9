"""CUSIP and ISIN numbers with valid check digits.

A CUSIP's ninth character and an ISIN's twelfth check the ones before (Luhn's "double-add-double" over letters as 10 to
35; ISO 6166, ANSI X9.6). For securities whose number the table does not know one is made up from the symbol.
"""

from __future__ import annotations

import zlib

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ISSUE = "10"


def cusip_check(body: str) -> str:
    """The check digit of the first eight characters of a CUSIP."""
    total = 0
    for position, letter in enumerate(body):
        value = _ALPHABET.index(letter) * (2 if position % 2 else 1)
        total += value // 10 + value % 10
    return str(-total % 10)


def isin_check(body: str) -> str:
    """The check digit of the first eleven characters of an ISIN."""
    digits = "".join(str(_ALPHABET.index(letter)) for letter in body)
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 if position % 2 else 2)
        total += value // 10 + value % 10
    return str(-total % 10)


def made_up_isin(symbol: str) -> str:
    """An ISIN of the United States for a symbol; the same for the same symbol."""
    issuer = f"{zlib.crc32(symbol.encode()) % 1_000_000:06d}"
    body = f"US{issuer}{_ISSUE}"
    cusip = body[2:]
    checked = f"{body}{cusip_check(cusip)}"
    return checked + isin_check(checked)


def cusip_of(isin: str) -> str:
    """The CUSIP inside an ISIN of the United States or Canada; empty for others."""
    return isin[2:11] if isin[:2] in {"US", "CA"} else ""
