#!/usr/bin/env bash
# What `make conformance SUITES=<folder>` does: other people's conformance suites against the release binary.
# The suites are not ours and not here: docs/conformance.md says what the folder must hold.
set -euo pipefail
suites=${1:-}
if [ -z "$suites" ] || [ ! -d "$suites" ]; then
  echo "usage: make conformance SUITES=<folder>    (docs/conformance.md says what the folder holds)" >&2
  exit 2
fi
suites=$(cd "$suites" && pwd)
cd "$(dirname "$0")/.."

if [ -z "${WEIR_BIN:-}" ]; then
  cargo build --release --package weir --quiet
  WEIR_BIN="${CARGO_TARGET_DIR:-$PWD/target}/release/weir"
fi
exec python3 scripts/conformance.py "$WEIR_BIN" "$suites"
