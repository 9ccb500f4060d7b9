"""Where htbot keeps its state."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator

from htbot.settings.section import Section, variable

LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda text: str(text).strip().upper())
]


class PathSettings(Section):
    """Folders and files; relative ones are below the project's root."""

    title: ClassVar[str] = "Files and logs"

    root: Path
    var: Path = variable("HTBOT_VAR_DIR", "folder of all state; give each instance its own", default=Path("var"))
    kill_switch_file: Path = variable(
        "KILL_SWITCH_FILE", "trading halts while this file exists; only a person removes it", default=Path("STOP")
    )
    failpoints: Path | None = variable(
        "HTBOT_FAILPOINTS", "for tests: a file that names edges of a send at which the desk is killed or frozen"
    )
    strategy_path: str | None = variable(
        "HTBOT_STRATEGY_PATH", "folders with strategies of your own, separated by : as in PATH"
    )
    log_level: LogLevel = variable("LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR", default="INFO")

    @property
    def strategy_folders(self) -> tuple[Path, ...]:
        """Folders that are searched for strategies, beside `examples/strategies`."""
        return tuple(self.root / folder for folder in (self.strategy_path or "").split(":") if folder)

    @property
    def log(self) -> Path:
        """JSON logs, rotated."""
        return self.var / "log"

    @property
    def run(self) -> Path:
        """Pid files, sockets and generated configuration."""
        return self.var / "run"

    @property
    def data(self) -> Path:
        """Files of market data that backtests from the dashboard may read."""
        return self.var / "data"

    @property
    def backtests(self) -> Path:
        """Backtests that were started from the dashboard, a folder each."""
        return self.var / "backtests"

    @property
    def mail(self) -> Path:
        """Mails as files, where no server is configured."""
        return self.var / "mail"

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL."""
        return self.var / "pg"

    @property
    def redis(self) -> Path:
        """The embedded Valkey."""
        return self.var / "redis"

    @property
    def paper(self) -> Path:
        """Books and clock of the paper gateway."""
        return self.var / "paper"

    @property
    def desk(self) -> Path:
        """The desk's journal (RULINGS 1)."""
        return self.var / "desk"
