#!/usr/bin/env bash
# Everything that must hold before a change lands: ./test.sh [pytest arguments]
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")" || exit
. scripts/venv.sh
ensure_venv dev
ensure_clients
export PYTHONDONTWRITEBYTECODE=1

results=()
failed=0
run() {
  local name=$1 began=$SECONDS outcome=ok
  shift
  echo "--- $name"
  "$@" </dev/null || { outcome=FAILED; failed=1; }
  results+=("$(printf '%-8s %-10s %4d s' "$outcome" "$name" $((SECONDS - began)))")
}

run format .venv/bin/python -m ruff format --check --quiet .
run lint .venv/bin/python -m ruff check --quiet .
run types .venv/bin/python -m mypy
run imports .venv/bin/lint-imports
run tests .venv/bin/python -m pytest "$@"

echo
printf '%s\n' "${results[@]}"
exit "$failed"
