"""Alerts: what a person is told, written in the same transaction as its cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """How loudly a person is told."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True, slots=True)
class Alert:
    """One message to a person. `dedup_key` is unique: the same cause is told once."""

    kind: str
    severity: Severity
    subject: str
    text: str
    html: str
    as_of: datetime
    dedup_key: str
    account: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
