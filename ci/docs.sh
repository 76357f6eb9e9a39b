#!/usr/bin/env bash
# Checks the documentation against the tree: every relative link and every `ci/NAME.sh` named in it leads somewhere; every
# script parses.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$MMC_ROOT"
failed=0
mapfile -t pages < <(mmc_sources '*.md')
for page in "${pages[@]}"; do
    while read -r target; do
        [[ $target =~ ^(https?:|mailto:|#) ]] && continue
        if [ ! -e "$(dirname "$page")/${target%%#*}" ]; then
            echo "$page: link to $target leads nowhere" >&2
            failed=1
        fi
    done < <(grep -oE '\]\([^) ]+' "$page" | sed 's/^](//')
    while read -r script; do
        if [ ! -e "$script" ]; then
            echo "$page: names $script, which does not exist" >&2
            failed=1
        fi
    done < <(grep -oE '\bci/[a-z_-]+\.(sh|py|txt)\b' "$page" | sort -u)
done
mapfile -t scripts < <(mmc_sources '*.sh')
for script in "${scripts[@]}" .ci/run; do
    bash -n "$script" || failed=1
done
echo "docs: ${#pages[@]} pages, ${#scripts[@]} scripts"
exit $failed
