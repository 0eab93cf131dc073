# WeirMQ: the few commands one needs. `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help run test lint fmt docs bench conformance clean

CARGO ?= cargo

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## build the broker and serve with the embedded defaults
	@$(CARGO) build --release --package weir
	@exec $${CARGO_TARGET_DIR:-target}/release/weir serve $(ARGS)

test: ## install what the tests need, then format, lints, tests
	@scripts/test.sh

lint: ## clippy over everything, warnings are errors
	@$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	@$(CARGO) xtask tidy

fmt: ## format the sources
	@$(CARGO) fmt --all

docs: ## write the generated pages anew
	@WEIR_WRITE_DOCS=1 $(CARGO) test --quiet --package settings the_reference_is_fresh
	@$(CARGO) xtask conformance

bench: ## the micro-benchmarks of all crates
	@$(CARGO) bench --workspace --benches

conformance: ## other people's conformance suites, found in SUITES=<folder> (docs/conformance.md)
	@scripts/conformance.sh "$(SUITES)"

clean: ## remove what was built
	@$(CARGO) clean
	@rm -rf .venv tests/clients/node_modules
