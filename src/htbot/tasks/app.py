"""The Celery application: JSON only, no result backend, no remote control, late nothing (STACK, task queue)."""

from __future__ import annotations

from celery import Celery

from htbot.settings import load_settings

TASK_MODULES = (
    "htbot.tasks.market_reader_tasks",
    "htbot.tasks.pnl_tasks",
    "htbot.tasks.order_tasks",
    "htbot.tasks.alert_tasks",
)
_LONGEST_TASK_S = 60


def make_app(broker_url: str) -> Celery:
    """A Celery application on a broker; task modules are imported by the worker only."""
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
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": 10 * _LONGEST_TASK_S, "max_connections": 20},
        task_time_limit=_LONGEST_TASK_S,
        task_soft_time_limit=_LONGEST_TASK_S - 10,
        timezone="UTC",
        enable_utc=True,
    )
    return app


app = make_app(load_settings().redis.broker_url)
