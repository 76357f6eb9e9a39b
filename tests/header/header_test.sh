#!/usr/bin/env bash
# Every header compiles alone, without warnings, and includes twice: as C17 by the C compiler or as C++17 by the C++ one.
# Those of the CUDA backend and of its providers are left out: they need CUDA's own headers.
#
#     header_test.sh SOURCE_DIR COMPILER c17|c++17
set -euo pipefail
source=$1 compiler=$2 standard=$3
cd "$source"
language=c
[ "$standard" = c17 ] || language=c++

failed=0
count=0
while read -r header; do
    count=$((count + 1))
    if ! printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
        "$compiler" -x "$language" "-std=$standard" -Wall -Wextra -Werror -fopenmp -fsyntax-only -I. -; then
        echo "header_test: $header does not compile alone as $standard" >&2
        failed=1
    fi
done < <(find kernels runtime reports suites -name '*.h' -not -path '*cuda/*' -not -path '*cudnn/*' | sort)
[ "$count" -gt 0 ] || { echo "header_test: no headers below $source" >&2; exit 1; }
echo "$count headers as $standard by $compiler"
exit $failed
