#!/usr/bin/env bash
# Installs a build tree into an empty folder and uses it as a stranger would: the program runs, find_package(mmcbench) and
# pkg-config each build a small consumer, and headers, documentation and licence lie where they belong.
#
#     install_test.sh BUILD_DIR SOURCE_DIR CMAKE CC VERSION [FLAGS]
set -euo pipefail
build=$1 source=$2 cmake=$3 cc=$4 version=$5 flags=${6:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

fail() {
    echo "install_test: $*" >&2
    exit 1
}

"$cmake" --install "$build" --prefix "$prefix" >"$work/install.log" || fail "cmake --install failed: $(tail -1 "$work/install.log")"
"$prefix/bin/mmcbench" --version | grep -F "$version" || fail "the installed program does not say version $version"

for header in "$source"/kernels/*.h "$source"/runtime/*.h "$source"/reports/*.h; do
    [ -f "$prefix/include/mmcbench/${header#"$source"/}" ] || fail "${header#"$source"/} is not installed"
done
for document in README.md CHANGELOG.md LICENSE docs/design.md; do
    find "$prefix/share/doc" -path "*/$document" | grep -q . || fail "$document is not installed"
done

"$cmake" -S "$source/tests/install/consumer" -B "$work/consumer" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_C_FLAGS="$flags" -DCMAKE_PREFIX_PATH="$prefix" >"$work/configure.log" 2>&1 || fail "find_package(mmcbench): $(cat "$work/configure.log")"
"$cmake" --build "$work/consumer" >"$work/build.log" 2>&1 || fail "the consumer does not build: $(cat "$work/build.log")"
"$work/consumer/consumer" | grep -Fx "$version, good" || fail "the consumer built by find_package prints something else"

package=$(dirname "$(find "$prefix" -name mmcbench.pc)")
export PKG_CONFIG_PATH=$package
[ "$(pkg-config --modversion mmcbench)" = "$version" ] || fail "pkg-config does not say version $version"
# shellcheck disable=SC2046,SC2086 # pkg-config prints words
"$cc" -std=c17 $flags "$source/tests/install/consumer/consumer.c" -o "$work/plain" $(pkg-config --cflags --libs --static mmcbench)
"$work/plain" | grep -Fx "$version, good" || fail "the consumer built by pkg-config prints something else"
