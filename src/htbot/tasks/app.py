"""The Celery application: JSON only, no result backend, no remote control, late nothing (STACK, task queue)."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init, worker_ready
from kombu.utils.functional import retry_over_time

from htbot.domain.errors import Retryable
from htbot.settings import load_settings
from htbot.telemetry.logs import configure_logging

TASK_MODULES = (
    "htbot.tasks.market_reader_tasks",
    "htbot.tasks.evaluation_tasks",
    "htbot.tasks.pnl_tasks",
    "htbot.tasks.order_tasks",
    "htbot.tasks.alert_tasks",
    "htbot.tasks.retention_tasks",
)
_LONGEST_TASK_S = 60


def make_app(broker_url: str, memory_limit_mb: int) -> Celery:
    """A Celery application on a broker; task modules are imported by the worker only.

    A pool process that has grown beyond the limit is replaced after its task.
    """
    app = Celery("htbot", broker=broker_url, include=TASK_MODULES)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        result_backend=None,
        task_default_queue="default",
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_max_memory_per_child=memory_limit_mb * 1024,
        # A process that is killed in the middle of a task has committed nothing: the message goes back to the queue and
        # is worked on at once, until it expires (FAULTS 2). One that comes twice changes nothing (`tasks.base`).
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # Redis that goes away is no reason to kill what is being decided: a late acknowledgment is lost, no more.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": 10 * _LONGEST_TASK_S, "max_connections": 20},
        task_time_limit=_LONGEST_TASK_S,
        task_soft_time_limit=_LONGEST_TASK_S - 10,
        timezone="UTC",
        enable_utc=True,
    )
    return app


_settings = load_settings()
app = make_app(_settings.redis.broker_url, _settings.limits.memory_mb)


@setup_logging.connect
def _log_as_json(**_options: Any) -> None:
    configure_logging("celery", level=load_settings().paths.log_level)


@worker_process_init.connect
def _fresh_parts(**_options: Any) -> None:
    """A pool process starts with nothing of its parent and builds its parts before the first message."""
    from htbot.tasks import base

    base.forget_parts()
    base.parts()


@worker_ready.connect
def _say_ready(**_options: Any) -> None:
    """Tell the record which tasks this worker has registered (RULINGS 35), however long PostgreSQL takes to answer."""
    from celery.worker import state

    from htbot.bootstrap.worker import announce_ready

    tasks = tuple(sorted(name for name in app.tasks if name.startswith("htbot.")))
    retry_over_time(
        announce_ready,
        Retryable,
        args=[load_settings(), tasks],
        interval_start=0.5,
        interval_step=0.5,
        interval_max=5,
        callback=state.maybe_shutdown,
    )
