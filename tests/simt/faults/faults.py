#!/usr/bin/env python3
"""Puts one fault after the other into copies of the CUDA backend and demands that its tests fail under emulation.

    faults.py BUILD [NAME...] [--shard I/N]     BUILD: a configured build with tests/simt, programs built

A fault is a patch of this folder. Its head says in words what is wrong, which object is compiled anew and which test
has to notice; the same test passes without the patch, as every run of the suite shows.
"""
import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TIMEOUT_S = 300


class Fault:
    def __init__(self, path):
        text = path.read_text()
        head = dict(re.findall(r"^(Object|Test): (.*)$", text.split("\n--- ")[0], re.M))
        self.path, self.name = path, path.stem
        self.object = head["Object"]
        self.program, self.filter = head["Test"].split(" ", 1)
        self.files = re.findall(r"^--- a/(\S+)$", text, re.M)


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **options)


def compile_command(build, source, mode):
    """The command that compiles `source` for emulated programs, and its output, relative to the build."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if Path(entry["file"]) == ROOT / source:
            command = [word for word in shlex.split(entry["command"]) if word != "-Werror"]
            output = command[command.index("-o") + 1]
            if re.search(rf"mmc_simt_(kernels_{mode}|backend)\.dir", output):
                return command, output
    raise SystemExit(f"faults: {source} is not compiled for the emulation in {build}")


def link_command(build, program):
    target = f"tests/simt/{program}"
    text = subprocess.run(["ninja", "-C", str(build), "-t", "commands", "-s", target], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    for part in text.split("&&"):
        words = shlex.split(part)
        if "-o" in words and words[words.index("-o") + 1] == target:
            return words
    raise SystemExit(f"faults: no command links {target}; is it a program of this build?")


def try_fault(build, fault):
    """("caught", what was said), ("missed", ...) or ("broken", ...)."""
    with tempfile.TemporaryDirectory(prefix="mmc-fault-") as folder:
        folder = Path(folder)
        for name in fault.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        done = run(["patch", "-p1", "--no-backup-if-mismatch", "-d", str(folder), "-i", str(fault.path)])
        if done.returncode:
            return "broken", f"the patch does not apply: {done.stdout.strip()}"
        command, output = compile_command(build, fault.object, "checked")
        changed = folder / fault.object
        source = str(ROOT / fault.object)
        command = [str(changed) if word == source and changed.exists() else word for word in command]
        command[command.index("-o") + 1] = str(folder / "faulty.o")
        command[1:1] = [f"-I{folder}"]
        done = run(command, cwd=build)
        if done.returncode:
            return "broken", f"it does not compile: {done.stdout.strip()[-2000:]}"
        link = link_command(build, fault.program)
        if output not in link:
            return "broken", f"{fault.program} does not hold {output}"
        link[link.index(output)] = str(folder / "faulty.o")
        link[link.index("-o") + 1] = str(folder / "program")
        done = run(link, cwd=build)
        if done.returncode:
            return "broken", f"it does not link: {done.stdout.strip()[-2000:]}"
        environment = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
        try:
            done = run([str(folder / "program"), f"--gtest_filter={fault.filter}"], cwd=folder, env=environment,
                       timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return "caught", f"no end after {TIMEOUT_S} s"
        if "Running 0 tests" in done.stdout:
            return "broken", f"no test is called {fault.filter}"
        if done.returncode == 0:
            return "missed", f"{fault.program} {fault.filter} passes"
        said = re.search(r"^simt: .*$", done.stdout, re.M) or re.search(r"^.* is not .*$", done.stdout, re.M)
        return "caught", said.group(0) if said else f"exit code {done.returncode}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--shard", default="0/1", help="I/N: every Nth fault from the Ith on")
    options = parser.parse_args()
    build = options.build.resolve()
    faults = [Fault(p) for p in sorted(HERE.glob("*.patch")) if not options.names or p.stem in options.names]
    part, parts = map(int, options.shard.split("/"))
    faults = faults[part::parts]
    if not faults:
        raise SystemExit("faults: none of that name")
    count = {"caught": 0, "missed": 0, "broken": 0}
    for fault in faults:
        verdict, said = try_fault(build, fault)
        count[verdict] += 1
        print(f"{verdict:6} {fault.name}: {said}", flush=True)
    print(f"faults: {count['caught']} of {len(faults)} caught, {count['missed']} missed, {count['broken']} broken")
    return count["missed"] + count["broken"] > 0


if __name__ == "__main__":
    sys.exit(main())
