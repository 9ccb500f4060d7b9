"""What `restart.sh` does once Python is there: servers, migrations, processes, checks."""

from __future__ import annotations
