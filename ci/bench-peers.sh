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
mmc_bench_peers bench-peers peer_path.py "torch, numpy, safetensors" "$@"
