#!/usr/bin/env bash
# Installs what the tests need and the machine lacks: mosquitto's clients, Python and npm clients of MQTT.
# Idempotent and quiet; says what it cannot install.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  printf 'setup-test: %s\n' "$*" >&2
  exit 1
}

# Runs a command and shows its output only when it fails.
quietly() {
  local log
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -n "$@"
  else
    fail "needs root or sudo for: $*"
  fi
}

debian_packages() {
  local missing=()
  command -v mosquitto_pub >/dev/null && command -v mosquitto_sub >/dev/null || missing+=(mosquitto-clients)
  command -v curl >/dev/null || missing+=(curl)
  command -v ip >/dev/null || missing+=(iproute2)
  command -v python3 >/dev/null || missing+=(python3)
  python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || fail "no apt-get here; install by hand: ${missing[*]}"
  echo "setup-test: installing ${missing[*]}"
  quietly as_root apt-get update || fail "apt-get update failed; install by hand: ${missing[*]}"
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" ||
    fail "could not install ${missing[*]}"
}

python_clients() {
  local wanted=tests/clients/requirements.txt stamp=.venv/requirements.installed
  cmp -s "$wanted" "$stamp" && return
  echo "setup-test: Python clients into .venv"
  [ -x .venv/bin/python ] || quietly python3 -m venv .venv || fail "could not make .venv"
  quietly .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$wanted" ||
    fail "could not install $wanted into .venv"
  cp "$wanted" "$stamp"
}

npm_clients() {
  local lock=tests/clients/package-lock.json stamp=tests/clients/node_modules/.installed-lock
  cmp -s "$lock" "$stamp" && return
  echo "setup-test: npm clients into tests/clients/node_modules"
  quietly npm ci --prefix tests/clients --no-audit --no-fund || fail "could not install $lock"
  cp "$lock" "$stamp"
}

debian_packages
python_clients
npm_clients
