"""One rule, one file, one function `check`; the order stands in `htbot.risk.gate`."""
