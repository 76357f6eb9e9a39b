#!/usr/bin/env bash
# Compares a whole matching of neurons by activations with a PyTorch program that does the same on this machine: scores
# first, then time by stages, interleaved, one thread, both pinned to one core. Fails (4) where a goal is missed (--help).
#
#     MMC_PEERS=DIR MMC_PYTHON=python3 bash ci/bench-match.sh [--cases resnet18:64,vgg13:64] [--rounds 5] ...
#     ... --matrices correlations.npz        writes correlations for bench-assign.sh --matrices instead
#
# MMC_PEERS: folder of the PyTorch programs (peer_match.py); they are not part of this repository. MMC_PYTHON: a Python with
# torch, numpy, scipy, lapx and safetensors. Options: --help.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
python=${MMC_PYTHON:-python3}
peers=${MMC_PEERS:-}
if [ -z "$peers" ] || [ ! -e "$peers/peer_match.py" ]; then
    echo "bench-match: skipped: MMC_PEERS does not name the folder of the PyTorch programs (peer_match.py)" >&2
    exit 77
fi
if ! "$python" -c 'import torch, numpy, scipy, safetensors' 2>/dev/null; then
    echo "bench-match: skipped: $python has no torch, numpy, scipy or safetensors; set MMC_PYTHON" >&2
    exit 77
fi
mmc_build release mmcbench >&2
unset MMC_PEERS MMC_PYTHON # the program reads MMC_ names as options
exec "$python" "$MMC_ROOT/ci/bench_match.py" --program "$MMC_ROOT/build/release/mmcbench" --peers "$peers" "$@"
