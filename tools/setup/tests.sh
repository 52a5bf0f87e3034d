# shellcheck shell=sh
# shellcheck disable=SC2154  # root is ./run's
# The test runs of ./run quick, test and nightly. Each phase leaves JUnit files in build/reports;
# the counts are summed at the end, and a phase that cannot even build counts as one failure, so
# that the last line is always "N passed, N failed".

jobs=$(nproc)
reports=build/reports

begin_reports() {
  rm -rf "$reports"
  mkdir -p "$reports"
}

# verdict PHASE 0|1: one test case that is no ctest: 0 passed, 1 failed
verdict() {
  status=run
  [ "$2" = 0 ] || status=fail
  printf '<testsuite><testcase name="%s" status="%s"/></testsuite>\n' "$1" "$status" \
    >"$reports/$1.xml"
  [ "$2" = 0 ] || note "FAILED: $1"
}

# run_tests PRESET LABELS [PREFIX...]: runs the tests with one of these labels, ctest behind PREFIX;
# never stops the script. Tests labelled static read sources only: another compilation of the
# program tells them nothing.
run_tests() {
  preset=$1 labels=$2
  shift 2
  except=none
  [ "$preset" = release ] || except=static
  "$@" ctest --test-dir "build/$preset" -L "^($labels)\$" -LE "^$except\$" \
    --no-tests=error -j "$jobs" --output-on-failure \
    --test-output-size-passed 4000000 --test-output-size-failed 4000000 \
    --output-junit "$root/$reports/$preset.xml" >&2 || note "FAILED: tests of $preset"
  [ -s "$reports/$preset.xml" ] || verdict "tests-of-$preset" 1
}

# built PRESET [TARGET...]: configure and build; a failure is recorded
built() {
  if configure "$1" && compile "$@"; then return 0; fi
  verdict "build-of-$1" 1
  return 1
}

# release_phase LABELS
release_phase() {
  step "building build/release and running its tests ($1)"
  if built release; then run_tests release "$1"; fi
}

# The sanitizer builds hold only what their tests need.
sanitizer_phase() {
  preset=$1 label=$2
  shift 2
  step "building build/$preset and running its tests ($label)"
  configure "$preset" || { verdict "build-of-$preset" 1; return; }
  targets=$(python3 tools/setup/count_tests.py --targets "build/$preset" "$label") || targets=all
  # shellcheck disable=SC2086  # one word per target
  if built "$preset" $targets; then run_tests "$preset" "$label" "$@"; fi
}

asan_phase() {
  export ASAN_OPTIONS=strict_string_checks=1:detect_stack_use_after_return=1
  export UBSAN_OPTIONS=print_stacktrace=1
  sanitizer_phase asan-ubsan quick
}

# ThreadSanitizer's shadow memory collides with strongly randomised address spaces: switch that off
# where the system lets us.
tsan_phase() {
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
  if setarch -R true 2>/dev/null; then
    sanitizer_phase tsan tsan setarch -R
  else
    sanitizer_phase tsan tsan
  fi
}

format_phase() {
  step 'checking the format of the sources'
  if sources | xargs -0 clang-format-19 --dry-run -Werror >build/logs/format.log 2>&1; then
    verdict clang-format 0
  else
    sed -n 's/^\([^:]*\):[0-9]*:.*error: .*/  \1/p' build/logs/format.log | sort -u >&2
    note 'fix: ./run format'
    verdict clang-format 1
  fi
}

clang_tidy_phase() {
  step 'building with clang and running clang-tidy'
  built tidy || return 0
  if run-clang-tidy-19 -quiet -p build/tidy -j "$jobs" "$root/(src|tests|bench)/" \
    >build/logs/clang-tidy.log 2>&1; then
    verdict clang-tidy 0
  else
    grep -E '(error|warning):' build/logs/clang-tidy.log >&2 ||
      tail -n 20 build/logs/clang-tidy.log >&2
    verdict clang-tidy 1
  fi
}

aarch64_phase() {
  step 'cross-building the portable layers for aarch64 and running their tests under qemu'
  if built aarch64; then run_tests aarch64 'quick|full'; fi
}

# Ends the script: sums build/reports, exit status 1 on any failure.
finish() {
  note "done after $(elapsed) minutes"
  exec python3 tools/setup/count_tests.py "$reports"
}

test_quick() {
  steps 2
  need build test
  begin_reports
  release_phase quick
  finish
}

test_all() {
  steps 5
  need build test format
  begin_reports
  release_phase 'quick|full'
  asan_phase
  tsan_phase
  format_phase
  finish
}

test_nightly() {
  steps 6
  need build test clients nightly
  begin_reports
  export STRATA_HOSTILE=full  # the counts of the catalogue
  release_phase 'quick|full|nightly'
  clang_tidy_phase
  aarch64_phase
  nightly_clients_phase
  finish
}
