# What the scripts in ci/ share; sourced, never run. Needs bash.
# shellcheck shell=bash
set -euo pipefail
MMC_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
MMC_JOBS=${MMC_JOBS:-$(nproc)}
export -n MMC_JOBS # the program reads MMC_ names of its environment as options

say() {
    printf '== %s\n' "$*"
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Packages of ci/packages.txt needed for the named purposes.
mmc_packages() {
    local purpose name when
    for purpose in "$@"; do
        while read -r name when _; do
            [[ $name == "#"* || -z $name || $when != "$purpose" ]] || printf '%s\n' "$name"
        done <"$MMC_ROOT/ci/packages.txt"
    done
}

mmc_is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

# Installs what is missing of the packages for the named purposes (Debian, Ubuntu). Does nothing, and asks no network,
# where all are there. Without root: prints the line to run and exits 3.
mmc_install() {
    local missing=() name
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian system: taking it that these are installed: $(mmc_packages "$@" | tr '\n' ' ')"
        return
    fi
    while read -r name; do
        mmc_is_installed "$name" || missing+=("$name")
    done < <(mmc_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        printf 'Missing Debian packages. Run as root, then start again:\n  apt-get update && apt-get install -y --no-install-recommends %s\n' \
            "${missing[*]}" >&2
        exit 3
    fi
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# mmc_build PRESET [TARGET...]: configures and builds; CMake's own chatter only where it fails.
mmc_build() {
    local preset=$1 log=$MMC_ROOT/build/$1.log
    shift
    mkdir -p "$MMC_ROOT/build"
    cd "$MMC_ROOT"
    if ! cmake --preset "$preset" >"$log" 2>&1; then
        cat "$log" >&2
        return 1
    fi
    grep -E '^-- (mmcbench|  )' "$log" | sed 's/^-- //' || true
    cmake --build --preset "$preset" -j "$MMC_JOBS" ${1:+--target "$@"} >"$log" 2>&1 || {
        grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking)' "$log" >&2
        return 1
    }
}

# mmc_bench_peers NAME PROGRAM MODULES ARGUMENT...: runs ci/NAME (_ for -) .py against the PyTorch programs in MMC_PEERS by MMC_PYTHON, or
# says why it cannot (77). PROGRAM is one of those programs, MODULES what that Python must have.
mmc_bench_peers() {
    local name=$1 program=$2 modules=$3 python=${MMC_PYTHON:-python3} peers=${MMC_PEERS:-}
    shift 3
    if [ -z "$peers" ] || [ ! -e "$peers/$program" ]; then
        echo "$name: skipped: MMC_PEERS does not name the folder of the PyTorch programs ($program)" >&2
        exit 77
    fi
    if ! "$python" -c "import $modules" 2>/dev/null; then
        echo "$name: skipped: $python lacks one of $modules; set MMC_PYTHON" >&2
        exit 77
    fi
    mmc_build release mmcbench >&2
    unset MMC_PEERS MMC_PYTHON # the program reads MMC_ names as options
    exec "$python" "$MMC_ROOT/ci/${name//-/_}.py" --program "$MMC_ROOT/build/release/mmcbench" --peers "$peers" "$@"
}

# mmc_clang_tool NAME: the command of clang's tool whose verdict counts, nothing where it is not installed. Layout and lint
# differ from release to release: only this one's are the project's.
MMC_CLANG_RELEASE=14
mmc_clang_tool() {
    if command -v "$1-$MMC_CLANG_RELEASE" >/dev/null; then
        echo "$1-$MMC_CLANG_RELEASE"
    elif "$1" --version 2>/dev/null | grep "version $MMC_CLANG_RELEASE\." >/dev/null; then
        echo "$1"
    fi
}

# Source files by git, or by name where this is no checkout: mmc_sources PATTERN...
mmc_sources() {
    cd "$MMC_ROOT"
    if [ -e .git ] && command -v git >/dev/null; then
        git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
            [ ! -e "$file" ] || printf '%s\n' "$file"
        done
    else
        local pattern arguments=()
        for pattern in "$@"; do
            arguments+=(-o -name "$pattern")
        done
        find . \( -path ./build -o -path ./mmcbench-runs \) -prune -o -type f \( "${arguments[@]:1}" \) -print | sed 's|^\./||' | sort
    fi
}
