#!/usr/bin/env bash
# One operation in Nsight Compute: every kernel that it launches, with roofline, memory and warp-state sections.
#
#     ci/nsight/compute.sh conv_forward resnet18.layer2.0.conv2
#     ci/nsight/compute.sh conv_eval resnet18.layer4.0.conv2 --precision bf16
#     KERNEL=interpolate ci/nsight/compute.sh interpolate resnet18.line
#
# The operation runs once (`--iters 1`), within the NVTX range "OP CASE" of domain `mmcbench`; what runs before, such as
# packing the weights, is left out. CASE is the whole name of a case (`mmcbench bench --op OP` shows them). KERNEL narrows
# the choice to kernels whose name has this text in it. MMCBENCH names the program, OUT the report.
set -euo pipefail
[ $# -ge 2 ] || { echo "compute.sh: give an operation and a case: compute.sh conv_forward resnet18.conv1" >&2; exit 2; }
op=$1 case=$2
shift 2
program=${MMCBENCH:-build/cuda/mmcbench}
command -v ncu >/dev/null || { echo "compute.sh: ncu is not on the PATH; it comes with Nsight Compute" >&2; exit 3; }
[ -x "$program" ] || { echo "compute.sh: $program is not there; build preset cuda, or set MMCBENCH" >&2; exit 3; }

# ncu locks the clocks to their base, so that two reports can be compared; --clock-control none would leave them.
ncu --export "${OUT:-$op.$case}" --force-overwrite --set full --import-source yes \
    --nvtx --nvtx-include "mmcbench@$op $case/" --kernel-name "regex:${KERNEL:-.*}" \
    "$program" bench --backend cuda --provider own --op "$op" --case "$case" --iters 1 "$@"
ncu --import "${OUT:-$op.$case}.ncu-rep" --page details --print-summary per-kernel
