#!/usr/bin/env bash
# Builds the documentation of every module of the library with docc, where a warning is an error, and holds the comments
# of public symbols to the rules of check_api_docs.py. The archives are left in .build/api-docs.
set -euo pipefail
cd "$(dirname "$0")/.."
archives=.build/api-docs
mkdir -p .build
work=$(mktemp -d .build/api-docs.XXXXXX)
trap 'rm -rf "$work"' EXIT

fail() { printf 'api-docs: %s\n' "$*" >&2; exit 1; }

command -v python3 >/dev/null 2>&1 || fail "no python3 found, which checks the comments"
docc=$(command -v docc || xcrun --find docc 2>/dev/null) || fail "no docc found; it comes with the Swift toolchain"

PYTHONPATH=.ci python3 -m unittest --buffer test_check_api_docs
swift package dump-package > "$work/package.json"
modules=$(python3 .ci/check_api_docs.py modules DeepSeekV4Oracle < "$work/package.json")
[ -n "$modules" ] || fail "the library DeepSeekV4Oracle has no modules"

graphs=$(dirname "$(swift build --show-bin-path)")/symbolgraph
rm -rf "$graphs"  # those of an earlier run would stand in for one that is missing now
swift package dump-symbol-graph --minimum-access-level public --skip-synthesized-members > "$work/log" 2>&1 \
  || { cat "$work/log" >&2; fail "the symbol graphs cannot be made"; }
# shellcheck disable=SC2086  # one argument for each module
python3 .ci/check_api_docs.py check "$graphs" docs/equations.md $modules

shopt -s nullglob
mkdir "$work/archives"
refused=()
for module in $modules; do
  mkdir "$work/$module"
  cp "$graphs/$module.symbols.json" "$graphs/$module@"*.symbols.json "$work/$module"
  "$docc" convert --additional-symbol-graph-dir "$work/$module" --output-path "$work/archives/$module.doccarchive" \
    --fallback-display-name "$module" --fallback-bundle-identifier "deepseek-v4-oracle.$module" --warnings-as-errors \
    > "$work/log" 2>&1 || { cat "$work/log" >&2; refused+=("$module"); }
done
[ ${#refused[@]} -eq 0 ] || fail "docc has warnings in ${refused[*]}"
rm -rf "$archives"
mv "$work/archives" "$archives"
printf 'api-docs: the documentation of %d modules is in %s\n' "$(wc -w <<< "$modules")" "$archives"
