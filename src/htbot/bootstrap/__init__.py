"""Composition roots: one module per process, and `install/` for restart.sh. The only place that picks the parts."""

from __future__ import annotations
