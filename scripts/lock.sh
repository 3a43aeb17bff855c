#!/bin/sh
# Resolves pyproject.toml into hashed requirement files, which name no download address.
set -eu
cd "$(dirname "$0")/.."
options="--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet"
uv pip compile pyproject.toml $options --group build "$@" -o requirements/runtime.txt
uv pip compile pyproject.toml $options "$@" --group test --group lint -c requirements/runtime.txt -o requirements/dev.txt
uv pip compile $options "$@" --group tools -o requirements/tools.txt
uv pip compile $options "$@" --group bench -o requirements/bench.txt
for recipe in common llama-index openapi; do
    uv pip compile $options "$@" --group "recipes-$recipe" -o "requirements/recipes/$recipe.txt"
done
