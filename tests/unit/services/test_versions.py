from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.record import NOON

from htbot import __version__
from htbot.domain.errors import ConfigurationError
from htbot.persistence import migrations
from htbot.persistence.records import Process
from htbot.persistence.revisions import newest_revision
from htbot.services.versions import Version, disagreement, own_version

OWN = Version("0.2.0", "0007")
DESK = Process("desk:1", "alpha", 42, "0.2.0", "0007", NOON)


def test_of_one_version_they_trade() -> None:
    assert disagreement(OWN, "0007", DESK) is None
    assert disagreement(OWN, "0007", None) is None


@pytest.mark.fault(43)
@pytest.mark.parametrize("revision", ["0006", "0008", None])
def test_a_record_of_another_schema_is_named_with_the_way_out(revision: str | None) -> None:
    told = disagreement(OWN, revision, DESK)
    assert told is not None
    assert (f"at revision {revision}" in told, "needs 0007" in told, "htbot db upgrade" in told) == (True, True, True)


@pytest.mark.fault(43)
@pytest.mark.parametrize("changes", [{"version": "0.1.0"}, {"version": "0.3.0"}, {"revision": "0006"}])
def test_a_desk_of_another_version_is_named(changes: dict[str, str]) -> None:
    told = disagreement(OWN, "0007", replace(DESK, **changes))
    assert told is not None
    assert ("pid 42 on alpha" in told, "restart" in told) == (True, True)


def test_our_own_version_is_what_alembic_says() -> None:
    assert own_version() == Version(__version__, str(migrations.head_revision()))


def test_migrations_that_fork_or_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\[\]"):
        newest_revision(tmp_path)
    folder = tmp_path / "alembic" / "versions"
    folder.mkdir(parents=True)
    (folder / "1.py").write_text('revision = "1"\ndown_revision = None\n')
    assert newest_revision(tmp_path) == "1"
    for name in ("2", "3"):
        (folder / f"{name}.py").write_text(f'revision = "{name}"\ndown_revision = "1"\n')
    with pytest.raises(ConfigurationError, match=r"\['2', '3'\]"):
        newest_revision(tmp_path)
