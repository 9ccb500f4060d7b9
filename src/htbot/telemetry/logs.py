"""JSON lines on standard error: the process manager writes them to `var/log/<program>.log` and rotates.

One writer per file is why no process opens a log file itself: the worker is several processes. Nobody waits for that
writer: what it does not take is lost and counted (`pipe`).
"""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from htbot.telemetry.masking import masked
from htbot.telemetry.pipe import unblocked

_NOISY = (
    "ib_async",
    "aeventkit",
    "httpx",
    "httpcore",
    "apprise",
    "urllib3",
    "asyncio",
    "amqp",
    "kombu",
    "alembic",
    # Says "received" for each task, before the line that says what came of it.
    "celery.worker.strategy",
)


def configure_logging(
    program: str, *, level: str = "INFO", console: bool = False, stream: TextIO | None = None
) -> None:
    """Send everything that is logged, by structlog or by the standard library, through one chain.

    Args:
        program: name that each line of JSON carries.
        level: least level that is written.
        console: short lines for a person at a terminal instead of JSON, with the time of day of the host.
        stream: default standard error.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
        structlog.processors.format_exc_info,
    ]
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0)
        if console
        else structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    )

    def named(_logger: object, _method: str, event: EventDict) -> EventDict:
        return event if console else {"program": program, **event}

    handler = logging.StreamHandler(stream if console else unblocked(stream))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, named, _mask, last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    if not console:
        sys.excepthook = _log_crash


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger; call it with an event name and fields: `log.info("order_sent", ref=ref)`."""
    return cast("FilteringBoundLogger", structlog.stdlib.get_logger(name))


def bind_context(**fields: object) -> None:
    """Add fields to every line of the current task or thread, such as `as_of` or `task`."""
    structlog.contextvars.bind_contextvars(**fields)


def clear_context() -> None:
    """Forget the fields of `bind_context`."""
    structlog.contextvars.clear_contextvars()


def _mask(_logger: object, _method: str, event: EventDict) -> EventDict:
    return {key: masked(value, key) for key, value in event.items()}


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("htbot").critical("crashed", exc_info=(kind, error, trace))
