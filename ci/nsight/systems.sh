#!/usr/bin/env bash
# The timeline of path evaluation in Nsight Systems: kernels, copies, and the ranges of NVTX domain `mmcbench` (job, phase,
# operation). One evaluation is recorded, the first of its process.
#
#     ci/nsight/systems.sh                            ResNet-18 at width 64
#     ci/nsight/systems.sh --points 25 --limit-train 8192
#
# MMCBENCH names the program (default build/cuda/mmcbench), OUT the report (default path.nsys-rep). Options go to
# `mmcbench bench --op path`.
set -euo pipefail
program=${MMCBENCH:-build/cuda/mmcbench}
command -v nsys >/dev/null || { echo "systems.sh: nsys is not on the PATH; it comes with Nsight Systems" >&2; exit 3; }
[ -x "$program" ] || { echo "systems.sh: $program is not there; build preset cuda, or set MMCBENCH" >&2; exit 3; }

nsys profile --output="${OUT:-path}" --force-overwrite=true --trace=cuda,nvtx --sample=none --cpuctxsw=none \
    --cuda-graph-trace=node --capture-range=cudaProfilerApi --capture-range-end=stop \
    "$program" bench --backend cuda --provider own --op path --profile --arch resnet18 "$@"
# Where the time goes, by kernel and by range.
nsys stats --force-export=true --report cuda_gpu_kern_sum --report nvtx_gpu_proj_sum "${OUT:-path}.nsys-rep"
