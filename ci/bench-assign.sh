#!/usr/bin/env bash
# Compares the assignment solver with SciPy's linear_sum_assignment and with lapx, one thread, interleaved; one JSON line
# per kind of costs and size. Fails (4) where it is less than 10 times as fast as SciPy on correlations of trained networks
# (3 times at n = 64; --matrices), or more than 10% slower than lapx on uniform costs.
#
#     MMC_PYTHON=python3 bash ci/bench-assign.sh [--matrices correlations.npz] [--rounds 3] ...
#
# MMC_PYTHON: a Python with numpy and scipy (and lapx, or its goals are skipped). Options: --help.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
python=${MMC_PYTHON:-python3}
if ! "$python" -c 'import numpy, scipy' 2>/dev/null; then
    echo "bench-assign: skipped: $python has no numpy or scipy; set MMC_PYTHON" >&2
    exit 77
fi
mmc_build release mmc >&2
program=$MMC_ROOT/build/release/bench_assign
"${CC:-cc}" -std=c17 -O2 -fopenmp -I"$MMC_ROOT" "$MMC_ROOT/ci/bench_assign.c" "$MMC_ROOT/build/release/libmmc.a" -lm \
    -o "$program"
core=$(taskset -cp $$ | sed 's/.*: *//; s/[,-].*//')
exec taskset -c "$core" "$python" "$MMC_ROOT/ci/bench_assign.py" --program "$program" "$@"
