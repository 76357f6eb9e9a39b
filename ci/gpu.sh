#!/usr/bin/env bash
# Everything that wants a CUDA device, on a machine that has one (compute capability 8.0 or newer). Nothing may be skipped.
#
#     bash ci/gpu.sh             build tests sanitizer quick bench, in this order
#     bash ci/gpu.sh STAGE...    some of them
#
#   build      preset cuda, for the devices of this machine
#   tests      parity and golden tests on the device; a skipped CUDA case fails the stage
#   sanitizer  compute-sanitizer over the parity cases: memcheck, then racecheck, initcheck and synccheck
#   quick      mmcbench run --scale quick --backend cuda
#   bench      mmcbench bench for every precision and provider; rows in build/gpu/
#
# MMC_GPU_DEVICE chooses the device (0). A failed stage does not hide the next ones.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
known=(build tests sanitizer quick bench)
stages=("${known[@]}")
[ $# -eq 0 ] || stages=("$@")
for stage in "${stages[@]}"; do
    [[ " ${known[*]} " == *" $stage "* ]] || { echo "gpu.sh: no stage '$stage'; there are: ${known[*]}" >&2; exit 2; }
done
export CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-${MMC_GPU_DEVICE:-0}}
PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin
command -v nvcc >/dev/null || die "no nvcc in PATH or CUDA_HOME: install the CUDA toolkit"
cd "$MMC_ROOT" || exit
out=build/gpu
mkdir -p "$out"
program=build/cuda/mmcbench

stage_build() {
    mmc_install build report data test
    mmc_build cuda
    "$program" info | tee "$out/info.txt"
    grep -E '^device +cuda' "$out/info.txt" | grep -vqE '^device +cuda( [0-9]+)? +missing' ||
        die "no CUDA device that can be used; see the lines 'device' above"
}

# Files too large for the repository may be missing (MMC_GOLDEN_EXTRA, MMC_DATA name them); nothing else may be.
stage_tests() {
    ctest --preset cuda -j 1 --timeout 600 --no-tests=error -L 'parity|golden' -LE slow \
        --output-junit "$MMC_ROOT/$out/tests.xml" | tail -n 40
    local reasons
    reasons=$(awk '/status="notrun"/ { skip = 1 }
                   skip && /: Skipped$/ { getline; print; skip = 0 }
                   /<\/testcase>/ { if (skip) print "no reason given"; skip = 0 }' "$out/tests.xml" | sort | uniq -c)
    [ -z "$reasons" ] || printf 'skipped:\n%s\n' "$reasons"
    ! grep -vE 'MMC_GOLDEN_EXTRA|MMC_DATA' <<<"${reasons:-MMC_DATA}" >/dev/null ||
        die "tests were skipped on a machine with a device"
}

stage_sanitizer() {
    command -v compute-sanitizer >/dev/null || die "no compute-sanitizer: it comes with the CUDA toolkit"
    local tool test filter log
    for tool in memcheck racecheck initcheck synccheck; do
        while read -r test filter; do
            say "$tool $test"
            log=$out/$tool.$test.txt
            compute-sanitizer --tool "$tool" --error-exitcode 9 "build/cuda/tests/parity/$test" --gtest_filter="$filter" \
                >"$log" 2>&1 || {
                tail -n 40 "$log"
                die "$tool found something: $log"
            }
            grep -qE 'PASSED +\] [1-9]' "$log" || die "$test: nothing ran with --gtest_filter='$filter'"
        done <<'TESTS'
unit_parity_test *cuda_own*
flat_parity_test *cuda_own*
match_parity_test *
class_means_parity_test *
mlp_parity_test *
TESTS
    done
}

stage_quick() {
    "$program" run --scale quick --backend cuda --out "$out/quick"
}

stage_bench() {
    nvidia-smi -q -d CLOCK,PERFORMANCE,POWER >"$out/clocks.txt" || true
    local precision provider
    for precision in tf32 bf16 fp32; do
        for provider in own cudnn; do
            if [ $provider = cudnn ] && ! "$program" info | grep -qE '^provider +cuda cudnn +[^m]'; then
                say "bench: this build has no cuDNN, provider cudnn is left out"
                continue
            fi
            say "bench $precision $provider"
            "$program" bench --backend cuda --provider "$provider" --precision "$precision" --json \
                >"$out/bench.$precision.$provider.jsonl"
        done
    done
}

failures=()
for stage in "${stages[@]}"; do
    say "$stage"
    set +e # inside a condition bash would ignore errors in the stage
    (
        set -e
        "stage_$stage"
    )
    code=$?
    set -e
    [ $code -eq 0 ] || failures+=("$stage")
    [ $code -eq 0 ] || [ "$stage" != build ] || break
done
[ ${#failures[@]} -eq 0 ] || die "failed: ${failures[*]}"
say "gpu.sh: ${stages[*]}: all good; results in $out"
