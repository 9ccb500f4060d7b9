from __future__ import annotations

import fcntl
import json
from datetime import date
from pathlib import Path

import pytest

from htbot.backtest.optimize.study import open_study
from htbot.backtest.optimize.trial import Ground, Settings, Trial, TrialOutcome
from htbot.backtest.optimize.windows import Window
from htbot.domain.errors import ConfigurationError

HEADER = {"strategy": "plain", "data_checksum": "aa", "windows": ["one", "two"]}
GROUND = Ground("plain", ("bars.csv",), "SPY")
WINDOW = Window(date(2022, 1, 3), date(2022, 1, 14), 10)
OUTCOME = TrialOutcome(3, {"sharpe": 1 / 3, "calmar": None}, "events", 0.25, "asked for")


def trial(*settings: tuple[str, str], unseen: bool = False) -> Trial:
    return Trial(GROUND, WINDOW, settings, unseen)


def filled(path: Path, count: int) -> list[Trial]:
    trials = [trial(("a", str(number))) for number in range(count)]
    with open_study(path, HEADER) as study:
        for one in trials:
            study.add(one, OUTCOME)
    return trials


def test_what_was_written_is_known_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "study.jsonl"
    trials = filled(path, 3)
    with open_study(path, HEADER) as study:
        assert [study.get(one) for one in trials] == [OUTCOME] * 3
        assert study.get(trial(("a", "9"))) is None
        assert study.get(trial(("a", "1"), unseen=True)) is None
        assert study.trials == len(study) == 3
        study.add(trial(("a", "1"), unseen=True), OUTCOME)
        assert (study.trials, len(study)) == (3, 4), "a run on an unseen window is no trial"


def test_each_trial_is_on_the_disk_when_it_is_added(tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    with open_study(path, HEADER) as study:
        study.add(trial(("a", "1")), OUTCOME)
        told = json.loads(path.read_text().splitlines()[-1])
    assert told["settings"] == {"a": "1"}
    assert told["values"] == {"sharpe": 1 / 3, "calmar": None}


def test_every_beginning_of_a_file_can_be_gone_on_from(tmp_path: Path) -> None:
    """A kill tears the last line anywhere, the header too."""
    path = tmp_path / "study.jsonl"
    filled(path, 2)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with open_study(path, HEADER) as study:
            assert len(study) == max(0, whole[:length].count(b"\n") - 1)
            study.add(trial(("a", "7")), OUTCOME)
        with open_study(path, HEADER) as study:
            assert study.get(trial(("a", "7"))) == OUTCOME


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"strategy": "other"}, "another strategy: plain there, other now; give another --study"),
        ({"data_checksum": "bb"}, "another data checksum: aa there, bb now; give another --study"),
        ({"windows": ["one"]}, 'another windows: ["one", "two"] there, ["one"] now; give another --study'),
        ({"metric": "sharpe"}, "another metric: null there, sharpe now; give another --study"),
    ],
)
def test_another_question_is_refused_in_a_line(tmp_path: Path, change: dict[str, object], line: str) -> None:
    path = tmp_path / "study.jsonl"
    filled(path, 1)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError) as told, open_study(path, {**HEADER, **change}):
        pass
    assert str(told.value) == f"{path} has {line}"
    assert path.read_bytes() == before


def test_a_broken_line_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    filled(path, 2)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b'{"id":"1"}\n', *lines[2:]]))
    with pytest.raises(ConfigurationError, match=r"line 3 is no finished trial"), open_study(path, HEADER):
        pass


@pytest.mark.parametrize("text", ["ts,open\n1,2", "ts,open", "{}\n"])
def test_another_file_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="not a study file"), open_study(path, HEADER):
        pass
    assert path.read_text() == text


def test_a_study_is_written_by_one_command_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    filled(path, 1)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="another htbot optimize writes to it"), open_study(path, HEADER):
            pass
    with open_study(path, HEADER) as study:
        assert len(study) == 1


def test_a_trial_is_its_window_and_its_settings_in_any_order() -> None:
    def named(*settings: tuple[str, str], window: Window = WINDOW, unseen: bool = False) -> str:
        given: Settings = settings
        return Trial(GROUND, window, given, unseen).id

    one = named(("a", "1"), ("b", "2"))
    assert one == named(("b", "2"), ("a", "1"))
    others = {
        named(("a", "2"), ("b", "1")),
        named(("a", "1")),
        named(("a", "1"), ("b", "2"), window=Window(WINDOW.first, date(2022, 1, 13), 9)),
        named(("a", "1"), ("b", "2"), unseen=True),
    }
    assert len(others | {one}) == 5
