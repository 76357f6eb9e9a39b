#!/usr/bin/env bash
# Compiles and links the CUDA backend without a device (preset cuda-ci: sm_80, sm_90, PTX for newer), and compares what the
# compiler made of each kernel with docs/kernels.csv: registers, spills, shared memory, resident blocks; where nvdisasm is
# found also instructions of the main loop and accesses to local memory. A difference beyond the slack fails and prints
# both rows.
#
#     bash ci/cuda-compile.sh              build and compare
#     bash ci/cuda-compile.sh --update     build and write docs/kernels.csv anew
#
# nvdisasm is looked for in PATH, $CUDA_HOME/bin and the packages of python3 (pip install nvidia-cuda-nvdisasm).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -eq 0 ] || [ "$*" = --update ] || die "what is '$*'? There is only --update"
command -v python3 >/dev/null || die "python3 is needed to read the compiler's messages: apt-get install python3"
mmc_build cuda-ci mmcbench
cd "$MMC_ROOT"
python3 ci/cuda_compile.py build/cuda-ci docs/kernels.csv "$@"
