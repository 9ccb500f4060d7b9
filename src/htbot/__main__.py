"""`python -m htbot` is the `htbot` command."""

from __future__ import annotations

from htbot.cli.main import main

if __name__ == "__main__":
    main()
