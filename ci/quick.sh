#!/usr/bin/env bash
# From a bare machine to a report: installs what is missing, builds, runs `mmcbench run --scale quick`.
# Further arguments go to `mmcbench run`. The last line printed is the path of the report.
#
#     bash ci/quick.sh
#     bash ci/quick.sh --data ~/data --out my-run
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$PWD
{
    say "packages"
    mmc_install build report data
    say "building build/release/mmcbench"
    mmc_build release mmcbench
    say "mmcbench run --scale quick $*"
} >&2
cd "$here"
exec "$MMC_ROOT/build/release/mmcbench" run --scale quick "$@"
