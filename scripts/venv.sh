# Sourced by restart.sh and test.sh, in the project's root: .venv from the locks, skipped when it is up to date.
# For testing also .venv/clients/NAME: other people's IB clients, a folder each, because two of them are both `ibapi`.
# shellcheck shell=bash

fail() { echo "error: $1" >&2; exit "${2:-1}"; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "no Python 3.11 to 3.13 with venv here: install one (apt install python3 python3-venv) or set PYTHON" 4
}

# install LOCK...: exactly what the locks say, by uv, else by pip with the same locks
install() {
  local lock locks=()
  for lock in "$@"; do locks+=(-r "$lock"); done
  if .venv/bin/python -m uv --version >/dev/null 2>&1 || .venv/bin/python -m pip install --quiet uv >/dev/null 2>&1; then
    .venv/bin/python -m uv pip install --quiet --python .venv/bin/python --require-hashes --compile-bytecode "${locks[@]}" &&
      .venv/bin/python -m uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e . && return
    echo "uv could not install the locks, trying pip" >&2
  fi
  .venv/bin/python -m pip install --quiet --require-hashes "${locks[@]}" &&
    .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
}

# Compiled ahead, because some hosts forbid Python to write .pyc files while it runs.
compile_source() {
  .venv/bin/python -m compileall -q src celery_app.py || fail "src does not compile: see the lines above" 1
}

# stamp_of LOCK...: what an environment was installed from, and where
stamp_of() { printf '%s %s' "$PWD" "$(cat "$@" requirements.in pyproject.toml | cksum)"; }

# install_client LOCK FOLDER: what the lock says into a folder of its own, by uv, else by pip
install_client() {
  rm -rf "$2"
  .venv/bin/python -m uv pip install --quiet --python .venv/bin/python --require-hashes --no-build-isolation --compile-bytecode --target "$2" -r "$1" ||
    .venv/bin/python -m pip install --quiet --require-hashes --no-build-isolation --target "$2" -r "$1"
}

# ensure_clients: the IB clients that tests/wire runs, each from its lock; a folder is skipped when it is up to date
ensure_clients() {
  local lock folder wanted
  for lock in tests/wire/clients/*.lock; do
    folder=.venv/clients/$(basename "$lock" .lock)
    wanted=$(cksum <"$lock")
    if [ "$(cat "$folder/.installed" 2>/dev/null)" = "$wanted" ]; then continue; fi
    echo "Installing $folder"
    UV_LINK_MODE=${UV_LINK_MODE:-copy} UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1} install_client "$lock" "$folder" ||
      fail "the client of $lock could not be installed: see the lines above" 1
    printf '%s' "$wanted" >"$folder/.installed"
  done
}

# ensure_venv host|dev: the environment for running, or for testing too
ensure_venv() {
  local locks=(requirements.lock) wanted stamp
  if [ "$1" = dev ]; then locks+=(requirements-dev.lock); fi
  wanted=$(stamp_of "${locks[@]}")
  stamp=".venv/.installed-$1"
  if .venv/bin/python -c '' 2>/dev/null && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    compile_source
    return
  fi
  echo "Installing packages into .venv"
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1 || ! grep -qF "$PWD/.venv" .venv/bin/activate 2>/dev/null; then
    local python
    python=$(find_python) || exit
    "$python" -m venv --clear .venv || fail "$python cannot make .venv: see the lines above" 4
  fi
  UV_LINK_MODE=${UV_LINK_MODE:-copy} UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1} install "${locks[@]}" || fail "the packages could not be installed: see the lines above" 1
  compile_source
  printf '%s' "$wanted" >"$stamp"
  if [ "$1" = dev ]; then stamp_of requirements.lock >.venv/.installed-host; fi # it has all that running needs
}
