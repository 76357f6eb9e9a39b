#!/usr/bin/env bash
# Checks the layout of every C and C++ source with clang-format; --fix rewrites instead.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tool=$(mmc_clang_tool clang-format)
[ -n "$tool" ] || {
    echo "format: left out, clang-format $MMC_CLANG_RELEASE is not installed"
    exit 0
}
mode=(--dry-run -Werror)
[ "${1:-}" != --fix ] || mode=(-i)
mapfile -t files < <(mmc_sources '*.c' '*.h' '*.inc' '*.cpp' '*.cu' '*.cuh')
[ ${#files[@]} -gt 0 ] || die "no sources below $MMC_ROOT"
cd "$MMC_ROOT"
printf '%s\0' "${files[@]}" | xargs -0 -n 20 -P "$MMC_JOBS" "$tool" "${mode[@]}"
echo "format: ${#files[@]} files"
