"""Every command of htbot in the documentation is run: here over a record with a trade in it, or by a named test."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, text_of
from tests.docs.test_commands import HTBOT, PYTHON, TREE, all_commands, bare
from tests.support import record

from htbot.cli.main import run
from htbot.persistence.engine import Database
from htbot.persistence.records import Account
from htbot.persistence.repositories import AccountRepository, IntentRepository, RiskDecisionRepository, TradeRepository
from htbot.settings.load import declared_names

# What takes long, serves until it is stopped, or wants data of its own: command, and the test that runs it.
ELSEWHERE = {
    "demo": "tests/e2e/test_demo_day.py",
    "chaos": "tests/e2e/test_chaos.py",
    "paper": "tests/unit/cli/test_paper.py",
    "backtest": "tests/unit/cli/test_backtest.py",
    "optimize": "tests/unit/cli/test_optimize.py",
    "parity": "tests/unit/cli/test_parity.py",
    "new strategy": "tests/unit/cli/test_new.py",
    "db upgrade": "tests/integration/api/test_cli.py",
}
# Modules that the documentation runs: the test that runs them, or holds what they write.
MODULES = {
    "htbot": "tests/docs/test_commands.py",
    "htbot.bootstrap.sessions": "tests/integration/bootstrap/test_sessions.py",
    "htbot.execution.diagram": "tests/unit/execution/test_diagram.py",
    "htbot.paper.faults.reference": "tests/docs/test_faults_page.py",
    "htbot.persistence.reference": "tests/unit/persistence/test_reference.py",
    "htbot.settings.example": "tests/architecture/test_files.py",
    "htbot.settings.reference": "tests/docs/test_settings_named.py",
    "htbot.telemetry.metric_reference": "tests/docs/test_metrics_reference.py",
}
# `./restart.sh` with these words: the test that runs it so.
RESTART = {
    (): "tests/e2e/test_restart_and_flatten.py",
    ("status",): "tests/unit/bootstrap/install/test_stop.py",
    ("stop",): "tests/unit/bootstrap/install/test_stop.py",
    ("stop", "--leave-open"): "tests/unit/bootstrap/install/test_stop.py",
}
NOT_RUN = {("stop", "--flatten")}
"""No test runs these words."""
FINE = {0, 1, 2, 3, 5}
"""Done, refused, nothing of that name, nothing runs, not done in time; 4 is a line that htbot does not understand."""


def htbot_lines() -> Iterator[tuple[str, ...]]:
    """The words after `htbot`, each line once, in the order of the pages."""
    seen: set[tuple[str, ...]] = set()
    for _, line in all_commands():
        words = bare(line)
        if words and words[0] in HTBOT and tuple(words[1:]) not in seen:
            seen.add(tuple(words[1:]))
            yield tuple(words[1:])


def elsewhere(words: tuple[str, ...]) -> str | None:
    return next((test for command, test in ELSEWHERE.items() if " ".join(words).startswith(command)), None)


def is_group(words: tuple[str, ...]) -> bool:
    """A name that prose speaks of, such as `htbot token`, is no command line."""
    current = TREE
    for word in words:
        current = getattr(current, "commands", {}).get(word)
        if current is None:
            return False
    return hasattr(current, "commands")


@dataclass(frozen=True)
class Example:
    """What stands for the placeholders of the documentation."""

    trade_id: str
    order: str
    pin: Path

    def fill(self, words: tuple[str, ...]) -> list[str]:
        known = {
            "TRADE_ID": self.trade_id,
            "ORDER": self.order,
            "NAME": "fast",
            "TYPE": "ma_crossover",
            "SETTINGS": "long_window=12",
            "FILE": str(self.pin),
            "~/pin": str(self.pin),
        }
        filled = [known.get(word, word) for word in words]
        for command, options in _NEEDED.items():
            if " ".join(filled).startswith(command) and options[0] not in filled:
                filled += options
        return [*filled, "--wait", "0"] if "--wait" in options_of(words) else filled


_NEEDED = {
    "halt": ["--reason", "text"],
    "cash-flow": ["--amount", "1", "--note", "text"],
    "strategies add": ["--type", "ma_crossover", "--symbol", "SPY"],
}
"""Options that a command cannot do without, where the documentation speaks of it by its name only."""


def options_of(words: tuple[str, ...]) -> set[str]:
    """Options of the command that a line calls."""
    current = TREE
    for word in words:
        current = getattr(current, "commands", {}).get(word, current)
    return {name for param in current.params for name in param.opts}


@pytest.fixture
def example(database: Database, tmp_path: Path) -> Example:
    trade = record.trade()
    intent = record.entry(trade)
    with database.transaction() as session:
        AccountRepository(session).upsert(Account(record.ACCOUNT, "main", record.WORLD, "paper", record.NOON))
        RiskDecisionRepository(session).add(record.approval(), None)
        TradeRepository(session).add(trade)
        IntentRepository(session).add(intent)
    pin = tmp_path / "pin"
    pin.write_text("482913\n")
    pin.chmod(0o600)
    return Example(trade.id, intent.ref, pin)


def test_each_line_is_run_or_a_test_is_named_that_does() -> None:
    missing = [test for test in {*ELSEWHERE.values(), *MODULES.values()} if not (ROOT / test).is_file()]
    assert missing == []
    for command, test in ELSEWHERE.items():
        assert command.split()[0] in text_of(ROOT / test), f"{test} does not run htbot {command}"
    for module, test in MODULES.items():
        assert module.rpartition(".")[2] in text_of(ROOT / test), f"{test} does not run {module}"


def test_each_module_that_is_run_is_known() -> None:
    modules = {
        words[2] for _, line in all_commands() if (words := bare(line))[:1] and words[0] in PYTHON and words[1] == "-m"
    }
    ours = {module for module in modules if module.partition(".")[0] == "htbot"}
    assert ours - set(MODULES) == set()
    tests = {module for module in modules if module.startswith("tests.")}
    assert {module for module in tests if not (ROOT / module.replace(".", "/")).exists()} - {
        module for module in tests if (ROOT / f"{module.replace('.', '/')}.py").is_file()
    } == set()


def test_restart_is_run_with_the_words_that_are_told() -> None:
    told = {tuple(words[1:]) for _, line in all_commands() if (words := bare(line))[:1] == ["./restart.sh"]}
    assert told - RESTART.keys() == NOT_RUN
    for words, test in RESTART.items():
        called = re.findall(r"(?:restart_sh\(stack|\w+\.script\()(.*?)\)", text_of(ROOT / test))
        assert ", ".join(f'"{word}"' for word in words) in {one.strip(", ") for one in called}, f"{test}: {words}"


def complaint_of(module: str, words: Sequence[str]) -> str | None:
    """What a test's own command says of these words, None when it takes them."""
    program = import_module(f"{module}.__main__" if (ROOT / module.replace(".", "/")).is_dir() else module)
    told = io.StringIO()
    try:
        with redirect_stderr(told):
            program.read_words(words)
    except SystemExit:
        return f"python -m {module} {' '.join(words)}: {told.getvalue().strip().splitlines()[-1]}"
    return None


def test_commands_of_the_tests_take_the_words_that_are_told() -> None:
    lines = {
        (words[2], tuple(words[3:]))
        for _, line in all_commands()
        if (words := bare(line))[:1] and words[0] in PYTHON and words[2].startswith("tests.")
    }
    assert len(lines) > 8
    assert [told for module, words in sorted(lines) if (told := complaint_of(module, words))] == []
    assert "invalid choice: 'nothing'" in str(complaint_of("tests.proofs.model", ["--weaken", "nothing"]))
    assert "unrecognized arguments: --swim" in str(complaint_of("tests.proofs.matrix", ["--swim"]))


def test_the_rest_is_run_over_a_record(
    example: Example,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in (*declared_names().canonical, *os.environ):
        if name.startswith(("IB", "SMTP", "PAPER", "RISK", "HTBOT")):
            monkeypatch.delenv(name, raising=False)
    environ = {"HTBOT_ENV_FILE": os.devnull, "HTBOT_VAR_DIR": str(tmp_path / "var"), "DATABASE_URL": database_url}
    environ |= {"KILL_SWITCH_FILE": str(tmp_path / "STOP"), "REDIS_URL": "redis://127.0.0.1:1/0"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    lines = [words for words in htbot_lines() if words and elsewhere(words) is None and not is_group(words)]
    assert len(lines) > 40
    wrong = []
    for words in lines:
        code = run(example.fill(words))
        told = capsys.readouterr()
        if code not in FINE or "Traceback" in told.err or not (told.out.strip() or told.err.strip()):
            wrong.append(f"htbot {' '.join(words)}: exit code {code}: {told.err.strip()[-200:]}")
    assert wrong == []
