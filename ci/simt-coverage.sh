#!/usr/bin/env bash
# Prints how much of the CUDA backend the emulated tests execute: lines of kernels/cuda/ and runtime/backend_cuda*, by gcov.
#
#     bash ci/simt-coverage.sh [CTEST OPTION...]     for example -R parity
#
# Builds build/coverage with -DMMC_SIMT_COVERAGE=ON and runs the tests labelled simt, once and in one order. Template code counts once: a line is
# executed where any instance of it was.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$MMC_ROOT"
build=$MMC_ROOT/build/coverage
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DMMC_SIMT=ON -DMMC_SIMT_COVERAGE=ON >"$build.log" 2>&1 ||
    die "configuring failed; see $build.log"
ninja -C "$build" -j "$MMC_JOBS" mmcbench simt_mmcbench mmc_simt_tests >>"$build.log" 2>&1 || die "building failed; see $build.log"
find "$build" -name '*.gcda' -delete
(cd "$build" && ctest -L simt -LE slow -E 'simt_orders|simt_gpu|simt_kernel_not_launched|NOT_BUILT' -j "$MMC_JOBS" --output-on-failure "$@" | tail -3)
python3 "$MMC_ROOT/ci/simt_coverage.py" "$build"
