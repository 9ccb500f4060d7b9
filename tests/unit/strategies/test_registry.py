from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.support.shared_data import PROJECT

from htbot.domain.errors import CallerMistake, ConfigurationError, NotFound
from htbot.strategies.kinds import ON_OPTIONS
from htbot.strategies.registry import STRATEGIES, create, create_bar, discover, schema

EXAMPLES = PROJECT / "examples" / "strategies"
PLAIN = """
from __future__ import annotations

from htbot.domain.bars import TapeBar
from htbot.strategies.bar_strategy import WAIT, Advice, BarConfig, BarInputs, BarStrategy, Holding


class {name}(BarStrategy):
    name = "{called}"
    Config = BarConfig

    @property
    def inputs(self) -> BarInputs:
        return BarInputs(5, 0)

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        return WAIT
"""


def write(folder: Path, file: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / file
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_is_found() -> None:
    catalogue = discover([EXAMPLES])
    assert set(catalogue) >= {*STRATEGIES, "plain_breakout"}
    assert catalogue["plain_breakout"].file == EXAMPLES / "plain_breakout.py"
    assert "plain_breakout" not in STRATEGIES
    assert create_bar("plain_breakout", {"threshold": "55"}, catalogue).config.as_fields()["threshold"] == 55.0


def test_a_folder_is_read_once_and_tests_and_private_files_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "mine.py", PLAIN.format(name="Mine", called="mine"))
    write(tmp_path, "_shared.py", "raise SystemExit")
    write(tmp_path, "test_mine.py", "raise SystemExit")
    write(tmp_path, "notes.txt", "no Python")
    catalogue = discover([tmp_path, tmp_path / ".." / tmp_path.name])
    assert set(catalogue) - set(STRATEGIES) == {"mine"}


def test_files_of_one_name_in_two_folders_are_two_modules(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write(tmp_path / folder, "mine.py", PLAIN.format(name="Mine", called=f"mine_{folder}"))
    catalogue = discover([tmp_path / "a", tmp_path / "b"])
    modules = {catalogue[name].strategy.__module__ for name in ("mine_a", "mine_b")}
    assert len(modules) == 2
    assert modules <= set(sys.modules)


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, "mine.py", PLAIN.format(name="Mine", called="mine"))
    assert discover([tmp_path])["mine"].strategy is discover([tmp_path])["mine"].strategy
    write(tmp_path, "mine.py", PLAIN.format(name="Mine", called="other"))
    assert set(discover([tmp_path])) - set(STRATEGIES) == {"other"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:", "cannot be imported: SyntaxError: "),
        ("import no_such_module", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ("raise ValueError('one\\ntwo')", "cannot be imported: ValueError: one two"),
        ("NUMBER = 1", "holds no strategy (a subclass of BarStrategy)"),
        (PLAIN.format(name="Mine", called="momentum"), "the name momentum is built in; give one of them another"),
        (PLAIN.format(name="Mine", called="mine").replace('    name = "mine"\n', ""), "Mine has no name; add name ="),
        (PLAIN.format(name="Mine", called="mine").replace("Config = BarConfig", "Config = int"), "Mine has no Config"),
        (PLAIN.format(name="Mine", called="mine").replace("def inputs", "def needs"), "Mine has no inputs; say which"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, "mine.py", text)
    with pytest.raises(ConfigurationError) as caught:
        discover([tmp_path])
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_file_that_failed_can_be_mended(tmp_path: Path) -> None:
    write(tmp_path, "mended.py", "raise ValueError")
    with pytest.raises(ConfigurationError):
        discover([tmp_path])
    assert not [name for name in sys.modules if name.startswith("htbot_strategy_mended")]
    write(tmp_path, "mended.py", PLAIN.format(name="Mine", called="mine"))
    assert "mine" in discover([tmp_path])


def test_two_files_with_one_strategy_are_both_named(tmp_path: Path) -> None:
    first = write(tmp_path, "a.py", PLAIN.format(name="Mine", called="mine"))
    second = write(tmp_path, "b.py", PLAIN.format(name="Mine", called="mine"))
    with pytest.raises(ConfigurationError) as caught:
        discover([tmp_path])
    assert str(caught.value) == f"{second}: the name mine is also in {first}; give one of them another"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"^{tmp_path / 'none'}: no such folder of strategies$"):
        discover([tmp_path / "none"])


@pytest.mark.parametrize(("name", "hint"), [("momentun", "did you mean momentum?"), ("x", "known are level_based, ")])
def test_an_unknown_name_is_answered_with_the_near_one(name: str, hint: str) -> None:
    for ask in (create_bar, schema, create):
        with pytest.raises(NotFound) as caught:
            ask(name)
        assert hint in str(caught.value)


def test_the_two_kinds_of_strategy_are_not_mixed_up() -> None:
    with pytest.raises(CallerMistake, match=r"^momentum trades plain instruments, not options"):
        create("momentum")
    with pytest.raises(CallerMistake, match=r"^spx_breakout trades options, not plain instruments$"):
        create_bar("spx_breakout")


def test_several_of_one_kind_with_settings_of_their_own() -> None:
    first, second = create_bar("ma_crossover", {"short_window": 3}), create_bar("ma_crossover", {"short_window": 4})
    again = create_bar("ma_crossover", {"short_window": "3"})
    assert first is not again
    assert first.config_hash == again.config_hash != second.config_hash
    assert (first.config.as_fields()["short_window"], second.config.as_fields()["short_window"]) == (3, 4)


@pytest.mark.parametrize("name", [*STRATEGIES, "plain_breakout"])
def test_the_schema_of_a_strategy_is_json(name: str) -> None:
    catalogue = discover([EXAMPLES])
    told = json.loads(json.dumps(schema(name, catalogue), allow_nan=False))
    assert told["name"] == name
    assert told["instruments"] == ("plain" if catalogue[name].plain else "options")
    assert (told["instruments"] == "options") == (name in {"spx_breakout", "vertical_spread", "strangle_momentum"})
    assert all(told[part] for part in ("description", "enters", "leaves"))
    assert all(setting["meaning"] for setting in told["settings"])
    assert told["settings_description"].startswith("Settings of " if told["instruments"] == "plain" else "")
    assert [field["name"] for field in told["settings"]] == list(catalogue[name].config().as_fields())


def test_what_the_schema_says_of_a_setting() -> None:
    fields = {field["name"]: field for field in create_bar("ma_crossover").config.schema()}
    assert fields["short_window"] == {
        "name": "short_window", "type": "integer", "optional": False, "default": 5, "low": 1, "high": 500,
        "meaning": "closes of the short mean", "unit": "bars",
    }  # fmt: skip
    assert fields["confidence_mode"]["choices"] == ["raw", "normalised"]
    assert fields["confidence_mode"]["type"] == "text"
    assert (fields["emit_initial"]["type"], fields["emit_initial"]["default"]) == ("boolean", False)
    assert (fields["exit_time"]["type"], fields["exit_time"]["optional"]) == ("time", True)
    assert fields["entry_start"]["default"] == "09:30:00"
    assert (fields["stop_loss_usd"]["type"], fields["stop_loss_usd"]["default"]) == ("decimal", None)


@pytest.mark.parametrize(
    ("text", "flag"),
    [("true", True), ("False", False), ("off", False), ("1", True), (False, False), (True, True), ("no", False)],
)
def test_flags_are_read_as_people_write_them(text: object, flag: bool) -> None:
    assert create_bar("ma_crossover", {"allow_short": text}).config.allow_short is flag


def test_what_trades_options_is_known_without_loading_it() -> None:
    assert {name for name, entry in STRATEGIES.items() if not entry.plain} == ON_OPTIONS


def test_a_strategy_on_options_may_have_a_name_of_its_own() -> None:
    own, named = (
        create("vertical_spread", {"symbol": "SPY"}),
        create("vertical_spread", {"symbol": "SPY"}, instance="vs"),
    )
    assert (own.name, named.name) == ("vertical_spread", "vs")
    assert named.config_hash == own.config_hash
    assert create("spx_breakout", instance="second").name == "second"
