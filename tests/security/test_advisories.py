from __future__ import annotations

import pytest
from tests.proofs.advisories import judge

SKIPPED = {"name": "b", "skip_reason": "not found"}
SOUND = {"name": "a", "version": "1", "vulns": []}
ILL = {"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}


@pytest.mark.fault(60)
def test_a_known_vulnerability_fails_and_silence_is_told_as_such() -> None:
    assert judge([SOUND, SKIPPED]) == (0, ["0 known vulnerabilities in 1 of 2 packages that could be asked for"])
    code, lines = judge([SOUND, ILL])
    assert code == 1
    assert lines[0] == "c 2: PYSEC-1, fixed in 3"
    assert judge([SKIPPED]) == (0, ["not run: the index knows advisories of none of 1 packages"])
