#!/usr/bin/env bash
# Starts htbot, or starts it anew: ./restart.sh · ./restart.sh status · ./restart.sh stop [--flatten | --leave-open]
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. scripts/venv.sh

command=${1:-start}
case $command in
  start) ensure_venv host ;;
  stop | status) [ -x .venv/bin/python ] || { echo "nothing was installed here: run ./restart.sh" >&2; exit 3; } ;;
  -h | --help) sed -n 2p restart.sh; exit 0 ;;
  *) fail "unknown command $command: start, stop or status" 1 ;;
esac
if [ $# -gt 0 ]; then shift; fi
exec .venv/bin/python -m htbot.bootstrap.install "$command" "$@" </dev/null
