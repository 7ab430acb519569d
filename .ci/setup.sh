#!/usr/bin/env bash
# Makes sure that what the build needs is there: a Swift toolchain, pkg-config, HDF5 and (on Linux) libcrypto.
# Installs what is missing by apt or Homebrew and says so; with sudo only when not root. Quiet when nothing is missing.
set -euo pipefail

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

command -v swift >/dev/null 2>&1 || fail "no Swift toolchain found; install Swift 6.3 or newer from swift.org, then run this again"

have() { command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "$@"; }

# A build that was tried before HDF5 was there leaves a plan without its include folder, which later builds would follow.
forget_old_plans() {
  local folder plan
  folder=$(pkg-config --cflags-only-I hdf5 | sed 's/^-I//; s/ .*//')
  [ -n "$folder" ] || return 0
  for plan in "$(dirname "$0")"/../.build/{debug,release}.yaml; do
    if [ -f "$plan" ] && ! grep -qF -- "$folder" "$plan"; then rm "$plan"; fi
  done
}

case "$(uname -s)" in
Linux)
  if have hdf5 libcrypto; then forget_old_plans; exit 0; fi
  command -v apt-get >/dev/null 2>&1 || fail "HDF5, libcrypto or pkg-config is missing and there is no apt-get here; install their development packages by hand"
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || fail "installing libhdf5-dev needs root and there is no sudo; run as root: apt-get install libhdf5-dev libssl-dev pkg-config"
    as_root=(sudo)
  fi
  say "installing libhdf5-dev, libssl-dev and pkg-config by apt-get"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libhdf5-dev libssl-dev pkg-config >/dev/null
  have hdf5 libcrypto || fail "the packages are installed, but pkg-config still does not find hdf5 and libcrypto"
  ;;
Darwin)
  if have hdf5; then forget_old_plans; exit 0; fi
  command -v brew >/dev/null 2>&1 || fail "HDF5 or pkg-config is missing and there is no Homebrew here; install hdf5 and pkgconf by hand"
  say "installing hdf5 and pkgconf by brew"
  brew install --quiet hdf5 pkgconf
  ;;
*)
  fail "this system is neither Linux nor macOS; install HDF5 and pkg-config by hand"
  ;;
esac
forget_old_plans
say "done"
