#!/usr/bin/env python3
"""Kills runs at random instants and shows that nothing is lost and nothing is twice: exits 1 where the records of a run that
was killed and resumed differ from an undisturbed run's.

    python3 ci/kill_runs.py --program build/release/mmcbench --kills 100 --out DIR -- fig4 --scale quick --seed 2

What follows -- goes to `mmcbench run`, twice: once undisturbed (kept in DIR/whole; a second call takes it from there) and, until
all kills are done, in DIR/killed-N with SIGKILL after a random time, then --resume. Rows are told apart and compared as readers
do it, timings apart. Random times come from --draw, so a failure can be repeated.
"""

import argparse
import json
import pathlib
import random
import signal
import subprocess
import sys
import time

KEYS = ("job", "item", "metric", "t", "set", "split", "seed")


def speed(row):
    return row["metric"] == "images_per_s"


def trained(row):
    """Speed of a training: nothing was trained after a kill that came between its end and its rows."""
    return speed(row) and row["item"] in ("train", "midpoint", "finetune", "bend-cue", "bend-no-cue")


def rows_of(folder):
    """Rows by what tells them apart, and how many lines there are."""
    rows, lines = {}, 0
    for path in sorted(folder.glob("records*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            lines += 1
            if not trained(row):
                key = tuple(json.dumps(row.get(k)) for k in KEYS)
                rows.setdefault(key, None if speed(row) else json.dumps(row.get("value")))
            else:
                lines -= 1
    return rows, lines


def models_of(folder):
    return {p.parent.name: p.read_bytes() for p in folder.glob("artifacts/*/model.safetensors")}


def run(command, log, kill_after_s=None):
    """Exit code, or None where it was killed."""
    with open(log, "a") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            return process.wait(kill_after_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return None


def compare(whole, killed, name):
    problems = []
    expected, _ = rows_of(whole)
    found, lines = rows_of(killed)
    for key in sorted(set(expected) | set(found)):
        if key not in found:
            problems.append(f"lost: {' '.join(key)}")
        elif key not in expected:
            problems.append(f"not in the undisturbed run: {' '.join(key)}")
        elif expected[key] != found[key]:
            problems.append(f"differs: {' '.join(key)}: {expected[key]} became {found[key]}")
    if lines != len(found):
        problems.append(f"{lines - len(found)} rows stand there twice")
    a, b = models_of(whole), models_of(killed)
    problems += [f"model {key} differs" for key in sorted(set(a) | set(b)) if a.get(key) != b.get(key)]
    for problem in problems[:20]:
        print(f"{name}: {problem}")
    return not problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--runs", type=float, help="runs over which the kills spread; the default gives each about ten")
    parser.add_argument("--draw", type=int, default=1, help="seed of the random instants")
    parser.add_argument("run", nargs=argparse.REMAINDER, help="-- arguments of mmcbench run")
    args = parser.parse_args()
    words = args.run[1:] if args.run[:1] == ["--"] else args.run
    command = [args.program, "run", *words]
    args.out.mkdir(parents=True, exist_ok=True)
    log, whole = args.out / "log", args.out / "whole"
    if not (whole / "report").exists():
        start = time.monotonic()
        if run([*command, "--out", str(whole)], log) not in (0, 1):  # 1: a claim fails at this size; the rows are there
            sys.exit(f"kill_runs: the undisturbed run failed; see {log}")
        (args.out / "seconds").write_text(f"{time.monotonic() - start}\n")
    whole_s = float((args.out / "seconds").read_text())
    longest_s = 2 * whole_s * (args.runs or args.kills / 10) / args.kills
    draw = random.Random(args.draw)
    kills = runs = 0
    good = True
    while kills < args.kills:
        runs += 1
        killed = args.out / f"killed-{args.draw}-{runs}"
        code = None
        while code is None:
            left = args.kills - kills
            code = run([*command, "--resume", "--out", str(killed)], log, draw.uniform(0, longest_s) if left else None)
            kills += code is None
        same = code in (0, 1) and compare(whole, killed, killed.name)
        good = good and same
        print(f"{killed.name}: {kills} of {args.kills} kills, {'the same' if same else 'DIFFERENT'}", flush=True)
    print(f"kill_runs: {kills} kills in {runs} runs of {whole_s:.0f} s: {'all the same' if good else 'DIFFERENT'}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
