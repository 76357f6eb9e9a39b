#!/usr/bin/env python3
"""Runs the quick scale once a seed and checks what it must show at p = 1, with margins; at the other p the run's own claims
count, which make it fail. Prints a row a seed, exits 1 on a miss.

    python3 ci/quick_seeds.py --program build/release/mmcbench --seeds 1,2,3,4,5 --out /tmp/seeds

With their own batch norm statistics theta_C reaches 95% on C and at most 25% on RC, and theta_NC's accuracies on NC and C lie
within 3 points. On the paths, with statistics estimated anew: the linear one dips 20 points or more on C, the quadratic one
trained on cue data at most 3 on C, and its response to the four sets is not the same all along.
"""
import argparse
import json
import pathlib
import resource
import subprocess
import sys
import time

LIMITS = {"C": (0.95, None), "RC": (None, 0.25), "NC-C": (None, 0.03), "linear": (0.20, None), "quadratic": (None, 0.03),
          "response": (0.10, None)}


def rows_of(command):
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def model(folder, cue):
    for config in sorted(folder.glob("artifacts/*/config.json")):
        job = json.loads(config.read_text())
        if job["kind"] == "train" and job["cue"] == cue:
            return config.parent / "model.safetensors"
    sys.exit(f"{folder}: no trained model of p = {cue}")


def own_statistics(program, path, limit):
    rows = rows_of([program, "eval", str(path), "--bn", "stored", "--limit-test", str(limit), "--json", "--quiet"])
    return {row["set"]: row["accuracy"] for row in rows if "set" in row}


def measure(program, folder, seed, extra):
    start = time.monotonic()
    done = subprocess.run([program, "run", "--scale", "quick", "--seed", str(seed), "--out", str(folder), "--quiet", *extra],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wall_s = time.monotonic() - start
    if done.returncode:
        sys.exit(f"seed {seed}: exit {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    rows = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    rows = [r for r in rows if r.get("cue") == 1.0]
    test_images = next(r["n"] for r in rows if r["metric"] == "accuracy" and r["item"] == "linear")
    c, nc = (own_statistics(program, model(folder, cue), test_images) for cue in (1.0, 0.0))
    along = {}
    for r in rows:
        if r["metric"] == "accuracy" and r["item"] == "quadratic-cue" and r["split"] == "test":
            along.setdefault(r["set"], {})[r["t"]] = r["value"]
    dip = {r["item"]: r["value"] for r in rows if r["metric"] == "dip" and r["set"] == "C" and r["split"] == "test"}
    return wall_s, {"C": c["C"], "RC": c["RC"], "NC-C": abs(nc["NC"] - nc["C"]), "linear": dip["linear"],
                    "quadratic": dip["quadratic-cue"],
                    "response": max(abs(v - s[0.0]) for s in along.values() for v in s.values())}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--program", default="build/release/mmcbench")
    p.add_argument("--seeds", default="1,2,3,4,5")
    p.add_argument("--out", required=True, type=pathlib.Path)
    args, extra = p.parse_known_args()
    missed = 0
    print("seed", *LIMITS, "wall_s", sep="\t")
    for seed in args.seeds.split(","):
        wall_s, values = measure(args.program, args.out / f"seed-{seed}", int(seed), extra)
        wrong = [k for k, (low, high) in LIMITS.items()
                 if (low is not None and values[k] < low) or (high is not None and values[k] > high)]
        missed += len(wrong)
        print(seed, *(f"{v:.4f}" for v in values.values()), f"{wall_s:.0f}", "missed: " + ", ".join(wrong) if wrong else "",
              sep="\t", flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB; {missed} of {len(LIMITS) * len(args.seeds.split(','))} limits missed")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
