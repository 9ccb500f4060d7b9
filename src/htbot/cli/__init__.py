"""The `htbot` command: non-interactive, `--json` everywhere, exit codes of INTERFACE."""
