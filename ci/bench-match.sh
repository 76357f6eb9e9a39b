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
mmc_bench_peers bench-match peer_match.py "torch, numpy, scipy, safetensors" "$@"
