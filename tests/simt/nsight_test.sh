#!/usr/bin/env bash
# The scripts of ci/nsight with tools in Nsight's place that know its options and run the program: what they ask of
# mmcbench exists, the program ends well on the emulated device, and the range that compute.sh selects is one it opens.
#
#     nsight_test.sh SOURCE_DIR PROGRAM     PROGRAM: mmcbench with the emulated backend
set -euo pipefail
source_dir=$1 program=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# tool NAME OPTION...: takes these options only, `=` after those that hold their value, and runs what follows them.
tool() {
    local name=$1
    shift
    cat >"$name" <<TOOL
#!/usr/bin/env bash
set -euo pipefail
known=" $* "
printf '%s\n' "$name \$*" >>"$folder/calls"
while [ \$# -gt 0 ]; do
    case \$1 in
        profile | stats) shift ;;
        --*=*) [[ \$known == *" \${1%%=*}= "* ]] || { echo "$name: no option \$1" >&2; exit 2; }; shift ;;
        --*) if [[ \$known == *" \$1: "* ]]; then shift 2
             elif [[ \$known == *" \$1 "* ]]; then shift
             else echo "$name: no option \$1" >&2; exit 2; fi ;;
        *.ncu-rep | *.nsys-rep) exit 0 ;;
        *) exec "\$@" ;;
    esac
done
TOOL
    chmod +x "$name"
}
tool ncu --export: --force-overwrite --set: --import-source: --nvtx --nvtx-include: --kernel-name: --import: --page: \
    --print-summary:
tool nsys --output= --force-overwrite= --trace= --sample= --cpuctxsw= --cuda-graph-trace= --capture-range= \
    --capture-range-end= --force-export= --report:
export PATH=$folder:$PATH MMCBENCH=$program MMC_SIMT_RANGES=$folder/ranges

bash "$source_dir/ci/nsight/compute.sh" conv_forward resnet18.layer2.0.conv2 --width 4 --batch 2
grep -qF -- "--nvtx-include mmcbench@conv_forward resnet18.layer2.0.conv2/" calls
grep -qE "^\+ [0-9] mmcbench [a-z]+ conv_forward resnet18.layer2.0.conv2( |\$)" ranges
bash "$source_dir/ci/nsight/systems.sh" --width 4 --points 2 --limit-train 4 --limit-test 2 --batch 2
[ "$(grep -c "^ncu" calls)" = 2 ] && [ "$(grep -c "^nsys" calls)" = 2 ]
