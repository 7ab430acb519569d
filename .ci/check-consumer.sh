#!/usr/bin/env bash
# Builds and tests Tests/ConsumerPackage, a package that depends on this one by a version tag, against a fresh clone of
# what is committed here, tagged 0.1.0.
set -euo pipefail
root=$(git rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

git clone --quiet "$root" "$work/deepseek-v4-oracle"
git -C "$work/deepseek-v4-oracle" tag 0.1.0
cp -R "$root/Tests/ConsumerPackage" "$work/consumer"
cd "$work/consumer"
V4_ORACLE_URL="$work/deepseek-v4-oracle" swift test
