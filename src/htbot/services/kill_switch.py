"""The kill switch file: while it exists nothing is originated, whatever else is dead (RULINGS 13)."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from htbot.domain.errors import ConfigurationError, HtbotError

FILE_SOURCE = "file"
"""The word for the file in `halts.source`; that row follows the file and is the desk's to write."""

_OURS = "htbot halt"
_LONGEST = 2000


class SwitchStuck(HtbotError):
    """The file could not be written or removed."""


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """The file at `path`. One that `htbot halt` wrote is removed by `htbot resume`, any other by hand only."""

    path: Path

    def present(self) -> bool:
        """True while the file is there; one that cannot be looked at counts as there."""
        try:
            self.path.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def require_safe(self) -> None:
        """See that nobody else can take the file away (FAULTS 62).

        A link in its place is a halt and is not followed; a folder in which everybody may remove what is not theirs
        makes every halt anybody's to lift.

        Raises:
            ConfigurationError: the folder is writable by everybody and not sticky, or is none.
        """
        folder = self.path.parent
        try:
            mode = folder.stat().st_mode
        except OSError as error:
            raise ConfigurationError(f"KILL_SWITCH_FILE={self.path}: {folder}: {error.strerror}") from error
        if not stat.S_ISDIR(mode):
            raise ConfigurationError(f"KILL_SWITCH_FILE={self.path}: {folder} is no folder")
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise ConfigurationError(
                f"KILL_SWITCH_FILE={self.path}: anybody may remove files from {folder}: chmod o-w {folder}"
            )

    def told(self) -> str:
        """What the file says, on one line."""
        words = " ".join(self._read().split())
        return f"the file {self.path} exists" + (f": {words}" if words else "")

    def halted_by(self) -> str | None:
        """What the file says, None while there is none."""
        return self.told() if self.present() else None

    def set(self, reason: str, by: str, at: datetime) -> bool:
        """Make the file; False when there is one already.

        Raises:
            SwitchStuck: the folder cannot be written.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except FileExistsError:
            return False
        except OSError as error:
            raise SwitchStuck(f"cannot write {self.path}: {error.strerror}; make it by hand: touch STOP") from error
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{_OURS} {at.isoformat()} by {by}: {' '.join(reason.split())[:_LONGEST]}\n")
        return True

    def clear_ours(self) -> bool:
        """Remove the file if `htbot halt` wrote it; False when there is none or a person made it.

        Raises:
            SwitchStuck: the file is ours and cannot be removed.
        """
        if not self._read().startswith(_OURS):
            return False
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise SwitchStuck(f"cannot remove {self.path}: {error.strerror}; remove it by hand") from error
        return True

    def _read(self) -> str:
        """The file's text; empty for anything but a readable regular file."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return ""
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return ""
            return os.read(descriptor, _LONGEST).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
