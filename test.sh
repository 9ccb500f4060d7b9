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

# Whole instances mostly wait, so they run beside the rest; their output comes after it. Servers that were late get a
# second try, alone (docs/decisions/0030-a-second-try.md).
both_halves() {
  local output caches rest=0 instances=0
  output=$(mktemp)
  caches=$(mktemp -d)
  .venv/bin/python -m pytest -o cache_dir="$caches/instances" tests/e2e >"$output" 2>&1 &
  .venv/bin/python -m pytest -o cache_dir="$caches/rest" --ignore tests/e2e || rest=$?
  wait $! || instances=$?
  cat "$output"
  if [ "$rest$instances" = 10 ] || [ "$rest$instances" = 01 ] || [ "$rest$instances" = 11 ]; then  # tests failed
    rest=0 instances=0
    .venv/bin/python -m tests.proofs.second_try "$caches/rest" "$caches/instances" || rest=1
  fi
  rm -rf "$output" "$caches"
  return $((rest | instances))
}

run format .venv/bin/python -m ruff format --check --quiet .
run lint .venv/bin/python -m ruff check --quiet .
run types .venv/bin/python -m mypy
run imports .venv/bin/lint-imports
run advisories .venv/bin/python -m tests.proofs.advisories
if [ $# -eq 0 ]; then run tests both_halves; else run tests .venv/bin/python -m pytest "$@"; fi

echo
printf '%s\n' "${results[@]}"
exit "$failed"
