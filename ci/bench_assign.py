"""Interleaved comparison of the assignment solver with SciPy and lapx; started by bench-assign.sh.

Cases: `uniform` costs, 20 instances a size; `independent` and `matched` correlation matrices. By default the latter are
correlations of random ReLU features, of two sets of units or of one set in two orders with 10% noise on the weights.
--matrices FILE.npz adds real ones (arrays of any name, square, correlations; names that hold `matched` are reported as
such, all others as independent); the goals for correlations apply to these. Integer costs are what matching uses:
correlations times 2^20, rounded.

SciPy and lapx solve the same numbers as float64. Each round times every solver once on each matrix, in CPU seconds of
the process; a case's figure is the median over matrices of the median over rounds. Exits with 4 where a goal is missed.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

try:
    import lap
except ImportError:
    lap = None

# Smallest ratio of a peer's time to ours.
GOALS = {("scipy", "real", 64): 3, ("scipy", "real", 128): 10, ("scipy", "real", 256): 10, ("scipy", "real", 512): 10,
         **{("lapx", "uniform", n): 1 / 1.1 for n in (64, 128, 256, 512)}}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", required=True, help="the compiled bench_assign.c")
    p.add_argument("--sizes", default="64,128,256,512")
    p.add_argument("--instances", type=int, default=20, help="of uniform costs")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=0.005, help="of each measurement, at least")
    p.add_argument("--matrices", action="append", default=[], help="npz file with correlation matrices")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--work", default="build/bench-assign")
    p.add_argument("--peers", default="scipy,lapx")
    return p.parse_args()


def features(rng, n, matched):
    """Correlation of the ReLU units of two networks that look at the same 16 n samples of n // 8 features."""
    x = rng.standard_normal((16 * n, n // 8))
    one, two = (rng.standard_normal((n // 8, n)) for _ in range(2))
    a = np.maximum(x @ one, 0)
    b = np.maximum(x @ (one + 0.1 * two if matched else two)[:, rng.permutation(n)], 0)
    a, b = ((z - z.mean(0)) / np.maximum(np.linalg.norm(z - z.mean(0), axis=0), 1e-12) for z in (a, b))
    return a.T @ b


def cases(args):
    """[(kind, n, costs to be maximised)]"""
    rng = np.random.default_rng(args.seed)
    out = []
    for n in map(int, args.sizes.split(",")):
        for matched in (False, True):
            out += [("matched" if matched else "independent", n, features(rng, n, matched)) for _ in range(2)]
        out += [("uniform", n, rng.random((n, n))) for _ in range(args.instances)]
    for path in args.matrices:
        for name, c in np.load(path).items():
            out.append(("matched (real)" if "matched" in name else "independent (real)", len(c), c.astype(np.float64)))
    return out


def timed(solve, cost, seconds):
    start, count = time.process_time(), 0
    while True:
        column = solve(cost)
        count += 1
        spent = time.process_time() - start
        if spent >= seconds:
            return spent / count, float(-cost[np.arange(len(cost)), column].sum())


def main():
    args = arguments()
    work = Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    every = cases(args)
    files, integers = [], []
    for i, (_, n, c) in enumerate(every):
        rounded = np.rint(c * 2 ** 20).astype(np.int32)
        integers.append(np.ascontiguousarray(-rounded.astype(np.float64)))
        files += [work / f"{i}.i32", work / f"{i}.f64"]
        files[-2].write_bytes(np.int32(n).tobytes() + rounded.tobytes())
        files[-1].write_bytes(np.int32(n).tobytes() + np.ascontiguousarray(c, dtype=np.float64).tobytes())
    ours = subprocess.Popen([args.program, *map(str, files)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            env=dict(os.environ, OMP_NUM_THREADS="1"))

    def ask(index):
        print(index, args.seconds, file=ours.stdin, flush=True)
        answer = ours.stdout.readline().split()
        if len(answer) != 3:
            sys.exit(f"bench-assign: the solver ended on {files[index]}")
        return float(answer[0]), float(answer[1])

    peers = {"scipy": lambda c: linear_sum_assignment(c)[1]}
    if lap:
        peers["lapx"] = lambda c: lap.lapjv(c)[1]
    else:
        print("bench-assign: lapx is not installed (pip install lapx): its goals are skipped", file=sys.stderr)
    peers = {k: v for k, v in peers.items() if k in args.peers.split(",")}

    samples = {}
    for _ in range(args.rounds):
        for i, (kind, n, c) in enumerate(every):
            row = {"ours": ask(2 * i), "ours-f64": ask(2 * i + 1)}
            for name, solve in peers.items():
                row[name] = timed(solve, integers[i], args.seconds)
                if row[name][1] != row["ours"][1]:
                    sys.exit(f"bench-assign: {kind} n={n}: {name} found {row[name][1]}, we {row['ours'][1]}")
            for name, (seconds, _) in row.items():
                samples.setdefault((kind, n), {}).setdefault(name, {}).setdefault(i, []).append(seconds)
    ours.stdin.close()

    missed = 0
    for (kind, n), by_solver in sorted(samples.items(), key=lambda item: (item[0][1], item[0][0])):
        median = {name: statistics.median(map(statistics.median, by.values())) for name, by in by_solver.items()}
        row = {"costs": kind, "n": n, "matrices": len(by_solver["ours"]),
               **{f"{name}_ms": round(1e3 * s, 4) for name, s in median.items()}}
        for name in peers:
            row[f"{name}/ours"] = round(median[name] / median["ours"], 2)
            goal = GOALS.get((name, "real" if "real" in kind else kind, n))
            if goal and median[name] / median["ours"] < goal:
                row.setdefault("missed", []).append(f"{name}: {goal:.2f}")
                missed = 4
        print(json.dumps(row), flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
