# The recipes of Serin. Start them through ./dev, which installs what they need: ./dev test

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

# List the recipes
_default:
    @just --list --unsorted

# Watch releases go well and badly on a real cluster: demo [--keep]
demo *ARGS:
    @demo/run "$@"

# Everything that must be green: check, all tests, and the fast end-to-end tests on a real cluster
test: check gen-check oracle judge-sim-short
    cargo test --locked --workspace --exclude serin-e2e
    testbed/go-tests
    python3 -B -m unittest discover -s demo -q
    testbed/e2e fast

# What CI runs
ci: test

# Format, lints, licences, dependency rules, scripts
check: deps
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets -- -D warnings
    cargo deny --log-level error check bans licenses sources
    @testbed/check-scripts

# Prove that api, core, traffic and analysis reach no runtime, client or socket
deps:
    @testbed/check-purity

# End-to-end tests on a real cluster: e2e [--keep] [fast | FILTER…]
e2e *ARGS:
    @testbed/e2e "$@"

# The loop under a simulated cluster, many seeds: sim [--from N] [--seeds N]
sim *ARGS:
    cargo run --quiet --locked --release -p serin-testkit --example sim -- "$@"

# The statistics against vectors of other implementations: oracle [DIR]
oracle DIR="../shared/oracles":
    cargo run --quiet --locked -p serin-analysis --example oracle -- "$1"

# Whole rollouts, judged by Serin, by thresholds and by naive tests: judge-sim [--rollouts N] [--seed N]
judge-sim *ARGS:
    cargo run --quiet --locked --release -p serin-analysis --example judge_sim -- "$@"

# The goals of the judge on seven kinds of rollouts, in less than a minute; part of `test`
judge-sim-short:
    cargo run --quiet --locked -p serin-analysis --example judge_sim -- --short

# What one look of the judge costs: bench judge
bench WHAT:
    @[[ "$1" == judge ]] || { echo "error: bench '$1': only 'judge' can be measured" >&2; exit 1; }
    cargo run --quiet --locked --release -p serin-analysis --example judge_bench

# Write crds/ and the chart's schema for Kustomize from crates/api
gen:
    cargo run --quiet --locked -p serin-api --example crdgen -- crds charts/serin/files/kustomize/rollouts.json

# Fail if what `gen` writes is not what crates/api says
gen-check: gen
    @test -z "$(git status --porcelain -- crds charts)" || { git status --short -- crds charts; git --no-pager diff -- crds charts | head -n 60; echo "error: crds/ or the chart differs from crates/api; run './dev gen' and commit what it wrote" >&2; exit 1; }

# The test cluster of this checkout: cluster up | down | status | kubectl … (cluster help says more)
[no-exit-message]
cluster *ARGS:
    @testbed/cluster "$@"

# Format all sources
fmt:
    cargo fmt --all
    gofmt -w $(git ls-files '*.go')
