from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from htbot.domain.errors import ConfigurationError
from htbot.paper.faults.kinds import Outage, Reject
from htbot.paper.faults.script import read_script

GOOD = """
# a bad morning
- fault: outage
  at: 10:32:30
  for_s: 90
  data: lost
- {fault: reject, above: 100, times: always}
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "day.yaml"


def test_entries_keep_their_lines_and_times_are_times(script: Path) -> None:
    script.write_text(GOOD)
    read = read_script(script)
    assert [line for line, _ in read.entries] == [3, 7]
    outage, reject = (fault for _, fault in read.entries)
    assert outage == Outage(at=time(10, 32, 30), for_s=90.0, data="lost")
    assert isinstance(reject, Reject)
    assert reject.times is None


def test_an_empty_script_has_no_faults(script: Path) -> None:
    script.write_text("# nothing today\n")
    assert read_script(script).entries == ()


def test_another_text_is_another_script(script: Path) -> None:
    script.write_text(GOOD)
    before = read_script(script).digest
    script.write_text(GOOD.replace("90", "91"))
    assert read_script(script).digest != before


def test_every_mistake_is_told_with_its_line(script: Path) -> None:
    script.write_text("- fault: rejct\n- fault: outage\n  for_s: long\n- fault: outage\n  at: [1]\n- x\n- at: 10:00\n")
    with pytest.raises(ConfigurationError) as caught:
        read_script(script)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{script}:{number}" for number in (1, 2, 4, 6, 7)]
    assert lines[1].endswith("outage: for_s=long is not seconds from 0 to 604800")
    assert lines[2].endswith("a field is a name and one plain value")
    assert lines[4].endswith("an entry needs `fault: NAME`")


BROKEN = {
    "a: b": ":1: a script is a list; begin each entry with `- fault: NAME`",
    "- fault: [": ":1: ",
    "- {fault: outage, for_s: 1, for_s: 2}": ":1: field 'for_s' is given twice: keep one",
    "\t- x": ":1: ",
    "- &a {fault: *a}": ":1: ",
}


@pytest.mark.parametrize(("text", "told"), BROKEN.items(), ids=BROKEN)
def test_what_is_no_script_is_one_line(script: Path, text: str, told: str) -> None:
    script.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_script(script)
    assert str(caught.value).startswith(f"{script}{told}")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_scripts(script: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_script(script)
    script.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_script(script)
    script.write_text("# " + "x" * 300_000)
    with pytest.raises(ConfigurationError, match="at most"):
        read_script(script)
