#!/usr/bin/env bash
# What `make test` does: set-up, format, lints, release binary for the socket tests, tests.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
  printf '== %s\n' "$*"
}

step "set-up"
scripts/setup-test.sh

step "format"
cargo fmt --all -- --check

step "lints"
cargo clippy --workspace --all-targets --quiet -- -D warnings

step "binary"
cargo build --release --package weir --quiet
WEIR_BIN="${CARGO_TARGET_DIR:-$PWD/target}/release/weir"
export WEIR_BIN

step "doc tests"
documentation=$(cargo test --workspace --doc --quiet 2>&1) || {
  printf '%s\n' "$documentation"
  exit 1
}

step "tests"
profile=default
[ -z "${CI:-}" ] || profile=ci
if cargo nextest --version >/dev/null 2>&1; then
  exec cargo nextest run --workspace --profile "$profile"
fi
exec cargo test --workspace --quiet --lib --bins --tests
