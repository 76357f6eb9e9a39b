#!/usr/bin/env bash
# Checks every #include against the way of the data (docs/design.md): a file includes only what lies below it.
#
#     room       may include
#     kernels    kernels/, runtime/status.h, runtime/tensor.h
#     runtime    kernels/, runtime/
#     reports    reports/, runtime/status.h, and what lies below every room (file, JSON, version)
#     suites     all of them
#     tests      all of them
#
# oneDNN is known to kernels/onednn/ alone, CUDA to .cu files, kernels/cuda/, kernels/cudnn/, runtime/backend_cuda*,
# runtime/comm* and the emulation in tests/simt/, instruction-set headers to the own kernels, JSON and compression libraries never
# to kernels/. Paths start at the root of the repository. Headers form no cycle.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."


mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.c' '*.h' '*.inc' '*.cpp' '*.cu' '*.cuh')
[ "${#files[@]}" -gt 0 ] || { echo "layers: no sources below $PWD" >&2; exit 1; }

status=0
awk '
function room(path) { return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "." }
function complain(why) { printf "%s:%d: includes %s: %s\n", FILENAME, FNR, target, why; bad = 1 }
/^[ \t]*#[ \t]*include[ \t]*["<]/ {
    quoted = $0 ~ /include[ \t]*"/
    target = $0
    sub(/^[^"<]*["<]/, "", target)
    sub(/[">].*$/, "", target)
    from = room(FILENAME)
    to = room(target)
    if (!quoted) {
        if (target ~ /dnnl/ && FILENAME !~ /^kernels\/onednn\//)
            complain("oneDNN is known to kernels/onednn/ alone")
        if (target ~ /(cuda|cudnn|nccl)/ && FILENAME !~ /(\.cu|\.cuh)$|backend_cuda|runtime\/comm|kernels\/(cuda|cudnn)\/|tests\/simt\//)
            complain("CUDA is known to .cu files, kernels/cuda/, kernels/cudnn/, runtime/backend_cuda*, runtime/comm* and tests/simt/ alone")
        if (target ~ /immintrin/ && FILENAME !~ /^kernels\//)
            complain("instruction sets are known to kernels/ alone")
        if (target ~ /^(jansson|zlib|lzma|png)\.h$/ && from == "kernels")
            complain("kernels/ reads no files")
        if (target ~ /^(kernels|runtime|reports|suites|tests)\// && FILENAME !~ /^tests\/install\//)
            complain("write project headers in quotes")
        next
    }
    if (to !~ /^(kernels|runtime|reports|suites|tests)$/) {
        complain("write the path from the root of the repository")
        next
    }
    if (from == "kernels" && to != "kernels" && target !~ /^runtime\/(status|tensor)\.h$/)
        complain("kernels/ know runtime/status.h and runtime/tensor.h alone")
    if (from == "runtime" && to !~ /^(kernels|runtime)$/)
        complain("runtime/ lies below " to "/")
    if (from == "reports" && to != "reports" && target !~ /^runtime\/(status|version|file|json)\.h$/)
        complain("reports/ know records alone")
    if (from == "suites" && to == "tests")
        complain("nothing shipped knows the tests")
}
END { exit bad }
' "${files[@]}" || status=1

# Two passes of the same edges: tsort names the headers of a cycle.
edges=$(mktemp)
trap 'rm -f "$edges"' EXIT
for header in "${files[@]}"; do
    [[ $header == *.h ]] || continue
    sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$header" | sed "s|^|$header |"
done >"$edges"
if ! loop=$(tsort "$edges" 2>&1 >/dev/null); then
    echo "layers: headers include each other in a cycle: $(echo "$loop" | sed 's/^tsort: //' | tr '\n' ' ')" >&2
    status=1
fi
[ $status -eq 0 ] && echo "layers: ${#files[@]} files, every include points downwards"
exit $status
