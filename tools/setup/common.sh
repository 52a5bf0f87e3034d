# shellcheck shell=sh
# What every piece of ./run says and how: numbered steps with the time passed, notes, and failures
# that name the fix. Everything goes to stderr, so that a program's results stay alone on stdout.

started=$(date +%s)
step_number=0
step_total=0

# elapsed: minutes and seconds since ./run began
elapsed() {
  seconds=$(($(date +%s) - started))
  printf '%d:%02d' $((seconds / 60)) $((seconds % 60))
}

steps() { step_total=$1; }

step() {
  step_number=$((step_number + 1))
  printf '[%d/%d %s] %s\n' "$step_number" "$step_total" "$(elapsed)" "$*" >&2
}

note() { printf '  %s\n' "$*" >&2; }

# die CODE WHAT FIX
die() {
  printf './run: %s\n  fix: %s\n' "$2" "$3" >&2
  exit "$1"
}

# watched LOG PATTERN NOUN COMMAND...: runs COMMAND into LOG; every 15 seconds says how many lines
# of LOG match PATTERN
watched() {
  log=$1 pattern=$2 noun=$3
  shift 3
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 &
  job=$!
  trap 'kill "$job" 2>/dev/null; exit 130' INT TERM
  waited=0
  while kill -0 "$job" 2>/dev/null; do
    sleep 1
    waited=$((waited + 1))
    if [ $((waited % 15)) -eq 0 ]; then note "$(elapsed): $(grep -c "$pattern" "$log") $noun"; fi
  done
  trap - INT TERM
  wait "$job"
}

# Every C++ source, separated by NUL.
sources() { find src tests bench -name '*.cc' -print0 -o -name '*.h' -print0; }
