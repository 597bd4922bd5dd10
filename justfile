# The recipes of Serin. Start them through ./dev, which installs what they need: ./dev test
set shell := ["bash", "-euo", "pipefail", "-c"]

# List the recipes
_default:
    @just --list --unsorted

# The test cluster of this checkout: just cluster help
cluster *ARGS:
    @testbed/cluster {{ ARGS }}
