from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from htbot.bootstrap.isolation import isolated_environ

SAY = "from htbot.tasks.app import app; print(app.conf.worker_max_memory_per_child, app.conf.task_time_limit)"


@pytest.mark.fault(46)
def test_a_pool_process_that_has_grown_is_replaced_and_a_task_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """Celery looks after each task; in KiB and seconds."""
    chosen = {"REDIS_URL": "redis://127.0.0.1:1/0", "HTBOT_MEMORY_LIMIT_MB": "300"}
    environ = isolated_environ(dict(os.environ), tmp_path) | chosen
    told = subprocess.run([sys.executable, "-c", SAY], env=environ, check=True, capture_output=True, text=True)
    assert told.stdout.split() == [str(300 * 1024), "60"]
