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

# Three lists at once. Whole instances take longest and mostly wait: they come first, and the other two lists have what
# is left of two cores. Servers that were late get a second try, alone (docs/decisions/0030-a-second-try.md).
SERVERS=(tests/integration tests/security tests/wire tests/contract)
three_lists() {
  local folder began=$SECONDS list codes
  folder=$(mktemp -d)
  list instances 0 tests/e2e >"$folder/instances.txt" 2>&1 &
  list servers 5 "${SERVERS[@]}" >"$folder/servers.txt" 2>&1 &
  list rest 5 --ignore tests/e2e "${SERVERS[@]/#/--ignore=}"
  wait
  for list in servers instances; do
    echo "--- tests: $list"
    cat "$folder/$list.txt"
  done
  codes=$(for list in rest servers instances; do cat "$folder/$list.code" || echo killed; done | sort -u | tr '\n' ' ')
  if [ "$codes" = "0 1 " ] || [ "$codes" = "1 " ]; then  # tests failed, and nothing else did
    .venv/bin/python -m tests.proofs.second_try "$folder"/*.cache && codes="0 "
  fi
  rm -rf "$folder"
  [ "$codes" = "0 " ]
}

# list NAME NICENESS [pytest arguments]: its exit code and how long it took stay in the folder
list() {
  local name=$1 niceness=$2 code=0
  shift 2
  nice -n "$niceness" .venv/bin/python -m pytest -o cache_dir="$folder/$name.cache" "$@" || code=$?
  echo "$code" >"$folder/$name.code"
  echo "tests: $name took $((SECONDS - began)) s"
}

run format .venv/bin/python -m ruff format --check --quiet .
run lint .venv/bin/python -m ruff check --quiet .
run types .venv/bin/python -m mypy
run imports .venv/bin/lint-imports
run advisories .venv/bin/python -m tests.proofs.advisories
if [ $# -eq 0 ]; then run tests three_lists; else run tests .venv/bin/python -m pytest "$@"; fi

echo
printf '%s\n' "${results[@]}"
exit "$failed"
