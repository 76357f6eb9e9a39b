"""Reads what nvcc made of each kernel and compares it with the committed table; called by ci/cuda-compile.sh.

    python3 ci/cuda_compile.py BUILD_DIR TABLE [--update]

Sources: the messages of ptxas (BUILD_DIR/kernels/cuda/.../NAME.cu.o.log), the PTX kept in BUILD_DIR/gate (threads of a
block, promised blocks), the disassembly of the cubins kept there. Columns of the table:

    kernel, arch      name with template arguments; sm_80 or sm_90
    threads           of a block, by __launch_bounds__; empty: none given
    registers         of a thread
    spill_bytes       stores and loads; must be 0
    stack_bytes       of a thread
    shared_bytes      static
    blocks            resident on a multiprocessor by registers, threads and static shared memory
    promised          minimal blocks by __launch_bounds__; blocks must not be fewer
    tensor, loop      tensor-core instructions and all instructions of the main loop (the innermost loop that has most
                      tensor-core instructions); empty without nvdisasm or tensor-core instructions
    local             instructions that access local memory; must be 0
"""
import csv
import glob
import os
import re
import shutil
import subprocess
import sys
import sysconfig

COLUMNS = ["kernel", "arch", "threads", "registers", "spill_bytes", "stack_bytes", "shared_bytes", "blocks", "promised",
           "tensor", "loop", "local"]
FROM_DISASSEMBLY = {"tensor", "loop", "local"}
# Slack: registers as the compiler rounds them, a tenth of the loop. Everything else must be equal.
SLACK = {"registers": lambda old: 8, "loop": lambda old: max(8, old // 10)}
MULTIPROCESSOR = {"sm_80": (65536, 2048, 164 * 1024, 32), "sm_90": (65536, 2048, 228 * 1024, 32)}
SHARED_OF_A_BLOCK = 1024  # that the system takes


def demangle(names):
    text = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    short = {}
    for mangled, full in zip(names, text.splitlines()):
        full = full.replace("(anonymous namespace)::", "").removeprefix("void ")
        depth = 0
        for i, c in enumerate(full):  # cut the parameter list, not parentheses inside template arguments
            depth += (c == "<") - (c == ">")
            if c == "(" and depth == 0:
                full = full[:i]
                break
        short[mangled] = re.sub(r"\((?:[a-z_ ]+)\)(?=\d)", "", full).replace(" ", "")
    return short


def read_messages(build):
    """{(mangled, arch): row} from ptxas -v."""
    rows = {}
    rules = open(f"{build}/build.ninja").read()
    for path in sorted(glob.glob(f"{build}/kernels/cuda/**/*.cu.o.log", recursive=True)):
        if f"build {os.path.relpath(path, build).removesuffix('.log')}:" not in rules:
            continue  # of a source that is no longer there
        row = None
        for line in open(path):
            if m := re.search(r"Compiling entry function '(\w+)' for '(sm_\d+)'", line):
                row = rows[m[1], m[2]] = dict.fromkeys(COLUMNS, "")
                row["arch"] = m[2]
            elif row is None:
                continue
            elif m := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
                row["stack_bytes"], row["spill_bytes"] = int(m[1]), int(m[2]) + int(m[3])
            elif m := re.search(r"Used (\d+) registers", line):
                row["registers"] = int(m[1])
                shared = re.search(r"(\d+) bytes smem", line)
                row["shared_bytes"] = int(shared[1]) if shared else 0
                row = None
    return rows


def read_bounds(build):
    """{mangled: (threads, promised blocks)} from the PTX."""
    bounds = {}
    for path in glob.glob(f"{build}/gate/*/*.ptx"):
        for m in re.finditer(r"\.entry (\w+)\((.*?)\n\{", open(path).read(), re.S):
            threads = re.search(r"\.maxntid (\d+)(?:, (\d+))?(?:, (\d+))?", m[2])
            blocks = re.search(r"\.minnctapersm (\d+)", m[2])
            count = 1
            for g in threads.groups() if threads else ():
                count *= int(g or 1)
            bounds[m[1]] = (count if threads else "", int(blocks[1]) if blocks else "")
    return bounds


def find_nvdisasm():
    packages = sysconfig.get_path("purelib")
    active = os.environ.get("VIRTUAL_ENV")
    folders = [os.environ.get("CUDA_HOME", "/usr/local/cuda") + "/bin"]
    for site in [packages] + (glob.glob(f"{active}/lib/python3*/site-packages") if active else []):
        folders += glob.glob(f"{site}/nvidia/*/bin") + [f"{site}/triton/backends/nvidia/bin"]
    return shutil.which("nvdisasm") or shutil.which("nvdisasm", path=os.pathsep.join(folders))


def main_loop(lines):
    """(tensor, all) instructions of the innermost loop with most tensor-core instructions."""
    labels, code = {}, []
    for line in lines:
        if m := re.match(r"\s*(\.L_x?_?\w+):", line):
            labels[m[1]] = len(code)
        elif m := re.match(r"\s*/\*[0-9a-f]+\*/\s+(.*?);?\s*(?:/\*|$)", line):
            code.append(m[1])
    tensor = [bool(re.match(r"(?:@!?U?P\w+\s+)?(?:HMMA|IMMA|DMMA|QMMA|HGMMA)\b", c)) for c in code]  # HFMA2.MMA is none
    loops = []
    for end, c in enumerate(code):
        m = re.search(r"\bBRA(?:\.\w+)*\s.*?`\((\.L_x?_?\w+)\)", c)
        if m and labels.get(m[1], end + 1) <= end:
            loops.append((labels[m[1]], end))
    best = None
    for a, b in loops:
        inner = any((c, d) != (a, b) and a <= c and d <= b and any(tensor[c:d + 1]) for c, d in loops)
        count = sum(tensor[a:b + 1])
        if count and not inner and (best is None or count > best[0]):
            best = (count, b + 1 - a)
    if best is None and any(tensor):  # unrolled in full: the whole kernel
        best = (sum(tensor), len(code))
    return best, sum(bool(re.search(r"\b(?:LDL|STL)\b", c)) for c in code)


def read_disassembly(build, rows, nvdisasm):
    for path in glob.glob(f"{build}/gate/*/*.cubin"):
        arch = "sm_" + re.search(r"(?:sm|compute)_(\d+)\.cubin$", path)[1]
        text = subprocess.run([nvdisasm, "-c", path], capture_output=True, text=True, check=True).stdout
        for part in re.split(r"^\s*\.section\s+\.text\.", text, flags=re.M)[1:]:
            name = re.match(r"(\w+)", part)[1]
            if (name, arch) not in rows:
                continue
            loop, local = main_loop(part.splitlines())
            rows[name, arch]["local"] = local
            if loop:
                rows[name, arch]["tensor"], rows[name, arch]["loop"] = loop


def resident_blocks(row):
    registers, threads, shared, blocks = MULTIPROCESSOR[row["arch"]]
    if not row["threads"]:
        return ""
    warps = -(-row["threads"] // 32)
    of_a_warp = -(-row["registers"] * 32 // 256) * 256
    return min(blocks, threads // (32 * warps), registers // of_a_warp // warps,
               shared // (row["shared_bytes"] + SHARED_OF_A_BLOCK))


def collect(build):
    rows = read_messages(build)
    bounds = read_bounds(build)
    names = demangle(sorted({name for name, _ in rows}))
    nvdisasm = find_nvdisasm()
    if nvdisasm:
        read_disassembly(build, rows, nvdisasm)
    else:
        print("cuda-compile: no nvdisasm: instructions are not looked at (pip install nvidia-cuda-nvdisasm)")
    table = {}
    for (name, arch), row in rows.items():
        row["kernel"] = names[name]
        row["threads"], row["promised"] = bounds.get(name, ("", ""))
        row["blocks"] = resident_blocks(row)
        if (row["kernel"], arch) in table:
            sys.exit(f"cuda-compile: two kernels are called {row['kernel']}: rename one")
        table[row["kernel"], arch] = row
    return dict(sorted(table.items())), bool(nvdisasm)


def must_hold(row):
    """What no table may allow."""
    if row["spill_bytes"]:
        yield f"{row['spill_bytes']} bytes are spilled"
    if row["local"]:
        yield f"{row['local']} instructions access local memory"
    if row["promised"] and row["blocks"] < row["promised"]:
        yield f"{row['promised']} blocks are promised, {row['blocks']} fit"


def differences(old, new, disassembled):
    for column in COLUMNS[2:]:
        if column in FROM_DISASSEMBLY and not disassembled:
            continue
        a, b = old[column], str(new[column])
        if a == b:
            continue
        slack = SLACK.get(column)
        if not (slack and a and b and abs(int(a) - int(b)) <= slack(int(a))):
            yield column


def main():
    build, path = sys.argv[1:3]
    update = sys.argv[3:] == ["--update"]
    table, disassembled = collect(build)
    if not table:
        sys.exit(f"cuda-compile: no kernel's messages below {build}/kernels/cuda")
    bad = [f"{row['kernel']} {row['arch']}: {why}" for row in table.values() for why in must_hold(row)]
    if update:
        if not disassembled:
            sys.exit("cuda-compile: --update needs nvdisasm")
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(table.values())
    with open(path, newline="") as file:
        committed = {(row["kernel"], row["arch"]): row for row in csv.DictReader(file)}
    for key in sorted(committed.keys() | table.keys()):
        if key not in table:
            bad.append(f"{key[0]} {key[1]}: in {path}, but not compiled")
        elif key not in committed:
            bad.append(f"{key[0]} {key[1]}: compiled, but not in {path}")
        else:
            columns = list(differences(committed[key], table[key], disassembled))
            if columns:
                bad.append(f"{key[0]} {key[1]}: differs in {', '.join(columns)}\n"
                           f"  committed  {','.join(committed[key][c] for c in COLUMNS[2:])}\n"
                           f"  compiled   {','.join(str(table[key][c]) for c in COLUMNS[2:])}\n"
                           f"  columns    {','.join(COLUMNS[2:])}")
    for line in bad:
        print(line)
    if bad:
        sys.exit(f"cuda-compile: {len(bad)} complaints; `bash ci/cuda-compile.sh --update` writes the table anew, where "
                 "the change is meant")
    print(f"cuda-compile: {len(table)} rows as in {path}")


if __name__ == "__main__":
    main()
