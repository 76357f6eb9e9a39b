#!/usr/bin/env bash
# What cannot be had is refused with the places tried and the way out, at configure time; what is off stays off.
#
#     configure_test.sh SOURCE_DIR CMAKE CC CXX
set -euo pipefail
source=$1 cmake=$2 cc=$3 cxx=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

configure() { # NAME OPTION...
    local name=$1
    shift
    "$cmake" -S "$source" -B "$work/$name" -DMMC_TESTS=OFF -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" "$@" \
        >"$work/$name.log" 2>&1
}
says() { # NAME TEXT: CMake breaks its lines
    tr '\n' ' ' <"$work/$1.log" | tr -s ' ' | grep -qF -- "$2" || {
        echo "configure_test: $1: nowhere '$2' in:" >&2
        cat "$work/$1.log" >&2
        exit 1
    }
}
refused() { # NAME TEXT OPTION...
    local name=$1 text=$2
    shift 2
    if configure "$name" "$@"; then
        echo "configure_test: $name: $* was accepted" >&2
        exit 1
    fi
    says "$name" "$text"
}

configure off -DMMC_CUDA=OFF -DMMC_NVTX=OFF -DMMC_ONEDNN=OFF || {
    cat "$work/off.log" >&2
    exit 1
}
says off 'backends cpu'
says off 'CUDA off, as asked'
says off 'cuDNN off, goes with CUDA'
says off 'NVTX off, as asked'
refused word 'MMC_CUDA=MAYBE: give AUTO, ON or OFF' -DMMC_CUDA=MAYBE
refused alone 'MMC_CUDNN=ON needs the CUDA backend, which is off, as asked' -DMMC_CUDA=OFF -DMMC_CUDNN=ON
export CUDACXX=$work/no-nvcc
refused nvcc 'Install the CUDA toolkit, set CUDACXX or CUDA_HOME, or configure with -DMMC_CUDA=OFF' -DMMC_CUDA=ON
says nvcc 'PATH, '
