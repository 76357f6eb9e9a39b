#!/usr/bin/env bash
# Compares mmcbench with PyTorch programs that do the same work on this machine: values first, then time, interleaved, same
# threads, both pinned. Prints medians, ratios with their spread, and the two factors apart: speed of one forward, and work
# saved by exact algebra.
#
#     MMC_PEERS=DIR MMC_PYTHON=python3 bash ci/bench-peers.sh [--cases resnet18:8,vgg13:8] [--threads 1] [--rounds 5] ...
#
# MMC_PEERS: folder of the PyTorch programs (peer_path.py, peer_train.py, peer_start.py); they are not part of this
# repository. MMC_PYTHON: a Python with torch, numpy and safetensors. Options: --help.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
python=${MMC_PYTHON:-python3}
peers=${MMC_PEERS:-}
if [ -z "$peers" ] || [ ! -e "$peers/peer_path.py" ]; then
    echo "bench-peers: skipped: MMC_PEERS does not name the folder of the PyTorch programs (peer_path.py)" >&2
    exit 77
fi
if ! "$python" -c 'import torch, numpy, safetensors' 2>/dev/null; then
    echo "bench-peers: skipped: $python has no torch, numpy or safetensors; set MMC_PYTHON" >&2
    exit 77
fi
mmc_build release mmcbench >&2
unset MMC_PEERS MMC_PYTHON # the program reads MMC_ names as options
exec "$python" "$MMC_ROOT/ci/bench_peers.py" --program "$MMC_ROOT/build/release/mmcbench" --peers "$peers" "$@"
