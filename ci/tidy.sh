#!/usr/bin/env bash
# clang-tidy over every C source of the library and the program (checks: .clang-tidy; warnings are errors).
# A file whose text, headers, flags and checks have not changed since it passed is not looked at again (build/tidy/).
#
#     tidy.sh [FILE...]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$MMC_ROOT"
tool=$(mmc_clang_tool clang-tidy)
[ -n "$tool" ] || {
    echo "tidy: left out, clang-tidy $MMC_CLANG_RELEASE is not installed"
    exit 0
}
database=${MMC_TIDY_BUILD:-build/clang}
[ -e "$database/compile_commands.json" ] || die "$database/compile_commands.json is missing: configure it first (cmake --preset clang)"
stamps=build/tidy
mkdir -p "$stamps"
if [ $# -gt 0 ]; then
    files=("$@")
else
    mapfile -t files < <(mmc_sources '*.c' | grep -E '^(kernels|runtime|reports|suites)/')
fi

# One hash over all that could change a verdict besides the file itself: cheap, and never stale.
common=$({ "$tool" --version; cat .clang-tidy ci/analyzer.h; mmc_sources '*.h' '*.inc' | xargs sha256sum; } | sha256sum | cut -c 1-64)

tidy_one() {
    local file=$1 stamp said lacks known=(--extra-arg=-include --extra-arg=runtime/status.h --extra-arg=-include --extra-arg=ci/analyzer.h --extra-arg=-I.)
    [ "$file" != runtime/status.c ] || known=() # defines what the others are told
    stamp=$stamps/$({ echo "$common"; cat "$file"; grep -A3 -F "$PWD/$file" "$database/compile_commands.json" || true; } | sha256sum | cut -c 1-32)
    [ -e "$stamp" ] && return 0
    # A file that this build leaves out (absent.c, CUDA's) has no flags of its own: it is checked with the project's, if the
    # headers of the toolkit that it needs are there.
    if grep -qF "\"file\": \"$PWD/$file\"" "$database/compile_commands.json"; then
        "$tool" --quiet -p "$database" "${known[@]}" "$file" 2>/dev/null || { echo "tidy: $file" >&2; return 1; }
    else
        said=$("$tool" --quiet "${known[@]}" "$file" -- -std=c17 -I. -fopenmp 2>/dev/null) || {
            lacks=$(sed -nE "s/.* error: '((cuda|cudnn|nccl|nvtx3)[^']*)' file not found.*/\1/p" <<<"$said" | head -1)
            [ -z "$lacks" ] || { echo "tidy: left out $file: no $lacks on this machine"; return 0; }
            printf '%s\n' "$said" "tidy: $file" >&2
            return 1
        }
    fi
    touch "$stamp"
}
export -f tidy_one
export stamps common database tool
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$MMC_JOBS" bash -c 'tidy_one "$0"' || die "clang-tidy has complaints (see above)"
echo "tidy: ${#files[@]} files"
