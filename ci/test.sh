#!/usr/bin/env bash
# Runs every test and check of the project on this machine, from any folder, installing what is missing first.
#
#     bash ci/test.sh            everything (all labels but `slow`)
#     bash ci/test.sh STAGE...   some of: checks release clang minimal asan cuda tidy
#
#   checks    format, layers, links of the documentation, scripts
#   release   gcc, warnings are errors; every test
#   clang     the same sources by clang; unit tests and the headers alone
#   minimal   without oneDNN and CUDA; unit, parity and golden tests
#   asan      address and undefined-behaviour sanitizers; every test
#   cuda      nvcc compiles and links the CUDA backend, kernels as in docs/kernels.csv; left out where there is no nvcc
#   tidy      clang-tidy over the library and the program
#
# A failed stage does not hide the next ones; the summary at the end names stage, seconds, tests and skips with reasons.
# MMC_JOBS sets the number of jobs (default: all cores), MMC_TEST_TIMEOUT the seconds a single test may take (300).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export -n MMC_TEST_TIMEOUT 2>/dev/null || true
nvcc=$(PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin command -v nvcc || true)
stages=(checks release clang minimal asan ${nvcc:+cuda} tidy)
[ $# -eq 0 ] || stages=("$@")
for stage in "${stages[@]}"; do
    [[ $stage =~ ^(checks|release|clang|minimal|asan|cuda|tidy)$ ]] || {
        echo "test.sh: no stage '$stage'; there are: checks release clang minimal asan cuda tidy" >&2
        exit 2
    }
done

say "packages"
mmc_install build report data test

# Golden files too large for the repository, where they lie beside it.
if [ -z "${MMC_GOLDEN_EXTRA:-}" ] && [ -d "$MMC_ROOT/../shared/golden" ]; then
    MMC_GOLDEN_EXTRA=$(cd "$MMC_ROOT/../shared/golden" && pwd)
    export MMC_GOLDEN_EXTRA
fi
# Tests run side by side: each keeps to one thread unless it says otherwise, and waiting threads sleep.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=passive
cd "$MMC_ROOT"
mkdir -p build
results=build/test-results
rm -rf "$results"
mkdir -p "$results"

# tests PRESET [CTEST OPTION...]: runs ctest, keeps its results for the summary.
tests() {
    local preset=$1
    shift
    cmake -E rm -f "$results/$preset.xml"
    ctest --preset "$preset" -j "$MMC_JOBS" --timeout "${MMC_TEST_TIMEOUT:-300}" --no-tests=error -LE slow \
        --output-junit "$MMC_ROOT/$results/$preset.xml" "$@" |
        grep -vE '^ *Start |\(Skipped\)$|\*{3}Skipped|  Passed  |^The following tests did not run' || return "${PIPESTATUS[0]}"
    return "${PIPESTATUS[0]}"
}

stage_checks() {
    bash ci/format.sh
    bash ci/layers.sh
    bash ci/docs.sh
}

stage_release() {
    mmc_build release
    tests release
}

stage_clang() {
    mmc_build clang
    tests clang -L unit
}

stage_minimal() {
    mmc_build minimal
    tests minimal -L 'unit|parity|golden'
}

stage_asan() {
    mmc_build asan
    tests asan
}

stage_cuda() {
    bash ci/cuda-compile.sh
}

stage_tidy() {
    [ -e build/clang/compile_commands.json ] || cmake --preset clang >/dev/null
    bash ci/tidy.sh
}

summary=()
failures=0
for stage in "${stages[@]}"; do
    say "$stage"
    start=$SECONDS
    set +e # inside a condition bash would ignore errors in the stage
    (
        set -e
        "stage_$stage"
    )
    code=$?
    set -e
    verdict=good
    [ $code -eq 0 ] || verdict=FAILED failures=$((failures + 1))
    summary+=("$(printf '%-8s %-7s %5d s' "$stage" "$verdict" $((SECONDS - start)))")
done

# Each <testcase> of ctest's JUnit files: status run, fail or notrun (a skip, whose reason GoogleTest printed).
passed=0 failed=0 skipped=0
echo
say "summary of ci/test.sh"
printf '%s\n' "${summary[@]}"
[ -n "$nvcc" ] || echo "cuda     skipped: no nvcc in PATH, CUDA_HOME or /usr/local/cuda; the CUDA backend was not compiled by it"
for tool in clang-format clang-tidy; do
    [ -n "$(mmc_clang_tool $tool)" ] || echo "$tool skipped: release $MMC_CLANG_RELEASE is not installed, and another's verdict is not the project's"
done
for file in "$results"/*.xml; do
    [ -e "$file" ] || continue
    read -r p f s < <(awk '/<testcase /{ n["run"] += /status="run"/; n["fail"] += /status="fail"/; n["skip"] += /status="(notrun|disabled)"/ }
                           END { print n["run"] + 0, n["fail"] + 0, n["skip"] + 0 }' "$file")
    printf '%-8s %d passed, %d failed, %d skipped\n' "$(basename "$file" .xml)" "$p" "$f" "$s"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    awk '/<testcase /{ name = $0; sub(/.*<testcase name="/, "", name); sub(/".*/, "", name) }
         /status="fail"/{ print "  failed: " name }
         /status="(notrun|disabled)"/{ skip = 1 }
         skip && /: Skipped$/{ getline reason; count[reason]++; skip = 0 }
         /<\/testcase>/{ if (skip) count["no reason given: " name]++; skip = 0 }
         END { for (reason in count) printf "  skipped %d: %s\n", count[reason], reason }' "$file" |
        sed 's/&quot;/"/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g' | sort
done
echo "$passed passed, $failed failed, $skipped skipped"
if [ $failures -gt 0 ]; then
    echo "ci/test.sh: $failures of ${#stages[@]} stages failed"
    exit 1
fi
echo "ci/test.sh: all ${#stages[@]} stages good in $SECONDS s"
