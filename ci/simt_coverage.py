#!/usr/bin/env python3
"""Adds up the lines that gcov counted in objects of the emulated backend. Called by ci/simt-coverage.sh."""
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("kernels/cuda/", "kernels/cudnn/", "runtime/backend_cuda")


def main():
    build = Path(sys.argv[1]).resolve()
    lines = {}  # file -> line -> executed
    with tempfile.TemporaryDirectory() as folder:
        counters = sorted(build.glob("tests/simt/**/*.gcda"))
        if not counters:
            sys.exit("simt_coverage: no counters; were the tests built with -DMMC_SIMT_COVERAGE=ON and run?")
        for number, counter in enumerate(counters):
            place = Path(folder) / str(number)
            place.mkdir()
            subprocess.run(["gcov", "-i", str(counter)], cwd=place, stdout=subprocess.DEVNULL, check=True)
            for report in place.glob("*.gcov.json.gz"):
                for file in json.loads(gzip.open(report).read())["files"]:
                    path = Path(file["file"])
                    path = path if path.is_absolute() else build / path
                    try:
                        name = path.resolve().relative_to(ROOT).as_posix()
                    except ValueError:
                        continue
                    if name.startswith(SOURCES):
                        known = lines.setdefault(name, {})
                        for line in file["lines"]:
                            known[line["line_number"]] = known.get(line["line_number"], False) or line["count"] > 0
    groups = {"kernels": [0, 0], "host": [0, 0]}
    for name, known in sorted(lines.items()):
        done, all_ = sum(known.values()), len(known)
        missing = [str(n) for n, executed in sorted(known.items()) if not executed]
        print(f"{100 * done / all_:6.1f} %  {all_:5}  {name}" + (f"  not: {' '.join(missing[:30])}" if missing else ""))
        group = groups["kernels" if name.endswith((".cu", ".cuh")) else "host"]
        group[0] += done
        group[1] += all_
    for name, (done, all_) in groups.items():
        if all_:
            print(f"{name}: {done} of {all_} lines executed, {100 * done / all_:.1f} %")


if __name__ == "__main__":
    main()
