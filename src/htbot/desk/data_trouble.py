"""Farms that are down and a competing session: what is quoted then is not trusted with an entry (FAULTS 28)."""

from __future__ import annotations

from htbot.execution.broker_events import ConnectionEvent, connection_event


class DataTrouble:
    """What is wrong with the broker's data now. A farm says when it is back, a competing session shows by ticks."""

    def __init__(self) -> None:
        self._broken: dict[str, str] = {}
        self._competing: str | None = None

    @property
    def reason(self) -> str | None:
        """Why no price may be trusted with an entry, None when nothing is wrong."""
        return self._competing or next(iter(self._broken.values()), None)

    def heard(self, code: int, text: str) -> None:
        """A code of the session; most are about something else."""
        event, farm = connection_event(code), text.rpartition(":")[2].strip()
        if event is ConnectionEvent.FARM_BROKEN:
            self._broken[farm] = f"{code} {text}"
        elif event in {ConnectionEvent.FARM_OK, ConnectionEvent.FARM_IDLE}:
            self._broken.pop(farm, None)
        elif event is ConnectionEvent.COMPETING_SESSION:
            self._competing = f"{code} {text}"

    def ticked(self) -> None:
        """Quotes come again."""
        self._competing = None

    def began(self) -> None:
        """A new session tells anew what is wrong."""
        self._broken.clear()
        self._competing = None
