# shellcheck shell=sh
# Configures and builds through the CMake presets, one folder per preset under build/.

# ccache keeps its own default place and limit. Paths inside the repository are hashed relative to
# it, so that a fresh clone elsewhere finds what an earlier one compiled.
# shellcheck disable=SC2154  # root is ./run's
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1
export NINJA_STATUS='  [%f/%t %es] '

# Tests and benchmarks are in the release build whenever their packages are there: chat on a bare
# machine does without, and shares the folder with test all the same.
switches() {
  if ! command -v dpkg-query >/dev/null || [ -z "$(missing libgtest-dev)" ]; then
    echo '-DSTRATA_TESTS=ON -DSTRATA_BENCH=ON'
  else
    echo '-DSTRATA_TESTS=OFF -DSTRATA_BENCH=OFF'
  fi
}

# configure PRESET
configure() {
  mkdir -p build/logs
  set -- "$1" "build/logs/configure-$1.log"
  preset_switches=''
  if [ "$1" = release ]; then preset_switches=$(switches); fi
  # shellcheck disable=SC2086  # one word per switch
  cmake --preset "$1" -DCARGO_PROGRAM="$cargo" $preset_switches >"$2" 2>&1 || {
    tail -n 25 "$2" >&2
    return 1
  }
}

# compile PRESET [TARGET...]: all targets when none is named
compile() {
  folder=build/$1
  shift
  cmake --build "$folder" ${1:+--target "$@"} >&2
}

build_strata() {
  step 'building build/release/strata'
  configure release ||
    die 70 'CMake could not configure the build' \
      'read build/logs/configure-release.log; after a change of compiler delete build/'
  compile release strata || die 70 'the build failed' 'read the first error above'
}
