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

step "tests"
profile=default
[ -z "${CI:-}" ] || profile=ci
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --profile "$profile"
else
  cargo test --workspace --quiet
fi
step "doc tests"
cargo test --workspace --doc --quiet
step "all passed"
