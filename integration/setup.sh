#!/usr/bin/env bash
# Sets up what building and testing Headrace needs and this machine lacks.
#
# Run it, or source it and call `set_up`. Swift itself is checked, not installed. What is already there is left alone, so that a
# second run needs no network and changes nothing.

set -euo pipefail

swift_major=6
swift_minor=3

say() { printf '%s\n' "$*"; }

# Says what is wrong and what to do, and ends the script.
give_up() {
  printf 'set-up: %s\n' "$*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

check_swift() {
  has swift || give_up "Swift is not installed. Install Swift $swift_major.$swift_minor or later: https://www.swift.org/install"
  local text version
  text=$(swift --version 2>&1) || give_up "'swift --version' failed: $text"
  version=$(printf '%s\n' "$text" | sed -n 's/.*Swift version \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p')
  [ -n "$version" ] || give_up "cannot read the version in the output of 'swift --version': $text"
  if [ "${version%%.*}" -lt "$swift_major" ] ||
    { [ "${version%%.*}" -eq "$swift_major" ] && [ "${version#*.}" -lt "$swift_minor" ]; }; then
    give_up "Swift $version is too old; $swift_major.$swift_minor or later is needed: https://www.swift.org/install"
  fi
}

has_zstd_library() { pkg-config --exists libzstd 2>/dev/null; }

python_is_new_enough() { python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; }

# The packages that are missing, by the names that apt gives them.
missing_packages_of_apt() {
  has pkg-config || echo pkg-config
  has_zstd_library || echo libzstd-dev
  has zstd || echo zstd
  python_is_new_enough || echo python3
  has cc || has clang || echo gcc
}

missing_packages_of_brew() {
  has pkg-config || echo pkg-config
  { has_zstd_library && has zstd; } || echo zstd
  python_is_new_enough || echo python3
  has timeout || has gtimeout || echo coreutils
}

install_with_apt() {
  local as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    has sudo || give_up "these packages are missing: $*. Install them as root: apt-get install $*"
    as_root="sudo"
  fi
  say "set-up: installing $* with apt-get"
  $as_root apt-get update -qq || say "set-up: apt-get update failed; going on with the package lists that are there"
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null ||
    give_up "apt-get could not install $*. Is there a network? Install them by hand and run this again."
}

install_with_brew() {
  has brew || give_up "these packages are missing: $*. Install Homebrew (https://brew.sh), or install them by hand."
  say "set-up: installing $* with brew"
  brew install --quiet "$@" || give_up "brew could not install $*. Install them by hand and run this again."
}

install_missing_packages() {
  local missing
  if [ "$(uname)" = Darwin ]; then
    missing=$(missing_packages_of_brew)
    # shellcheck disable=SC2086  # One word per package.
    [ -z "$missing" ] || install_with_brew $missing
  else
    missing=$(missing_packages_of_apt)
    [ -z "$missing" ] || has apt-get ||
      give_up "these are missing: $(echo "$missing" | tr '\n' ' '). Install them with your system's package manager."
    # shellcheck disable=SC2086
    [ -z "$missing" ] || install_with_apt $missing
  fi
  has_zstd_library || give_up "libzstd is still not found by pkg-config; is PKG_CONFIG_PATH set to something else?"
  python_is_new_enough || give_up "Python 3.9 or later is needed, as python3 on the PATH"
}

# Fetches the Swift packages, which is the only part of a build that needs the network.
fetch_packages() {
  local try output
  for try in 1 2 3; do
    if output=$(swift package resolve 2>&1 </dev/null); then
      return
    fi
    [ "$try" -eq 3 ] || sleep $((try * 5))
  done
  give_up "the Swift packages could not be fetched: $output"
}

# Runs a command with a deadline in seconds; exit code 124 says that it ran past it.
with_deadline() {
  local seconds=$1
  shift
  if has timeout; then
    timeout -k 10 "$seconds" "$@"
  elif has gtimeout; then
    gtimeout -k 10 "$seconds" "$@"
  else
    "$@"
  fi
}

set_up() {
  check_swift
  install_missing_packages
  fetch_packages
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  case "${1-}" in
    "") cd "$(dirname "$0")/.." && set_up && say "set-up: everything is there" ;;
    --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" ;;
    *) printf 'usage: bash integration/setup.sh [--help]\n' >&2; exit 2 ;;
  esac
fi
