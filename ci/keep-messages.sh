#!/usr/bin/env bash
# Runs a compiler and keeps what it says beside the object it makes: OBJECT.log. For cuda-compile.sh.
set -uo pipefail
object=
for ((i = 1; i < $#; i++)); do
    if [ "${!i}" = -o ]; then
        next=$((i + 1))
        object=${!next}
    fi
done
"$@" 2>&1 | tee "${object:-/dev/null}${object:+.log}" | grep -vE '^ptxas info|^ +[0-9]+ bytes stack frame|^$' >&2
exit "${PIPESTATUS[0]}"
