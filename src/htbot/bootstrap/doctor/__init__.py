"""What is in order, what is not, and what to do about it: `htbot doctor`."""

from __future__ import annotations

from htbot.bootstrap.doctor.finding import Finding, State
from htbot.bootstrap.doctor.report import CHECKS, CODES, examine, verdict

__all__ = ["CHECKS", "CODES", "Finding", "State", "examine", "verdict"]
