# shellcheck shell=sh
# Installs what a job lacks: Debian packages from packages.txt and a Rust toolchain. Asks apt only
# when something is missing.

rust_minimum=87 # 1.87, which the grammar crate asks for

# packages_of JOB...
packages_of() {
  for job_name in "$@"; do
    awk -v job="$job_name" '$1 == job { print $2 }' tools/setup/packages.txt
  done
}

# missing PACKAGE...: those that are not installed
missing() {
  for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=none
    [ "$status" = installed ] || echo "$package"
  done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# apt SUBCOMMAND...: waits for another apt to finish, never asks a question
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends "$@"
}

install_packages() {
  # shellcheck disable=SC2046  # one word per package
  set -- $(missing "$@")
  [ $# -gt 0 ] || return 0
  [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
    die 69 "these packages are missing: $*" "as root: apt-get update && apt-get install -y $*"
  note "installing: $*"
  watched build/logs/apt-update.log '^Get' 'package lists fetched' apt update ||
    note 'apt-get update failed (build/logs/apt-update.log), going on with the lists there are'
  watched build/logs/apt-install.log '^Setting up' 'packages set up' apt install "$@" || {
    tail -n 15 build/logs/apt-install.log >&2
    die 69 'apt-get could not install the packages' \
      "read build/logs/apt-install.log; Debian 12's main and security archives have them all: $*"
  }
}

# rust_is_new CARGO: that cargo runs and is new enough
rust_is_new() {
  minor=$("$1" --version 2>/dev/null | sed -n 's/^cargo 1\.\([0-9]*\)\..*/\1/p')
  [ "${minor:-0}" -ge "$rust_minimum" ]
}

# Sets `cargo` to one that is new enough; prefers the user's own.
need_rust() {
  own=${CARGO_HOME:-${HOME:-/nowhere}/.cargo}/bin/cargo
  for cargo in "$(command -v cargo || true)" "$own" /usr/bin/cargo; do
    if [ -x "$cargo" ] && rust_is_new "$cargo"; then return 0; fi
  done
  command -v dpkg-query >/dev/null ||
    die 69 "cargo 1.$rust_minimum or newer is missing" 'install Rust with your system or rustup'
  install_packages cargo-web rustc-web
  cargo=/usr/bin/cargo
  rust_is_new "$cargo" || die 69 "Debian's cargo is older than 1.$rust_minimum" \
    'add the bookworm-security archive to apt, or install Rust with rustup'
}

# need JOB...: everything these jobs need, installed
need() {
  step "checking the packages for: $*"
  if command -v dpkg-query >/dev/null; then
    # shellcheck disable=SC2046  # one word per package
    install_packages $(packages_of "$@")
  else
    note 'no Debian: packages are not checked; tools/setup/packages.txt says what must be there'
  fi
  case " $* " in *' build '*) need_rust ;; esac
}
