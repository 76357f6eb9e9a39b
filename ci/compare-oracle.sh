#!/usr/bin/env bash
# Checks the program's values against an independent evaluation in PyTorch: state_dicts saved by PyTorch go through
# `mmcbench eval`, `path` and `train`, and the same files through ci/oracle_check.py. Prints the differences.
#
#     MMC_PYTHON=python3 bash ci/compare-oracle.sh [--program FILE] [--width 8] [--train 320] [--test 200] ...
#
# MMC_PYTHON: a Python with torch, numpy and safetensors; without one the check is skipped (exit 77).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
python=${MMC_PYTHON:-python3}
if ! "$python" -c 'import torch, numpy, safetensors' 2>/dev/null; then
    echo "compare-oracle: skipped: $python has no torch, numpy or safetensors; set MMC_PYTHON" >&2
    exit 77
fi
if [[ " $* " != *" --program "* ]]; then
    mmc_build release mmcbench >&2
    set -- --program "$MMC_ROOT/build/release/mmcbench" "$@"
fi
exec "$python" "$MMC_ROOT/ci/oracle_check.py" "$@"
