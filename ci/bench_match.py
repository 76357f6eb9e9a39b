"""Interleaved comparison of a whole matching by activations with a PyTorch program; started by bench-match.sh.

Both sides read the same two checkpoints and match over the whole train split of the same generated files, in batches of
128. A case is ARCH:WIDTH[:TRAIN]. Per case:

 1. scores   the mean correlation of the matched units of every group: a difference above 2e-4 (the peer prints four
             digits) ends the case, for both sides solve the assignment exactly
 2. time     round after round, each side in a process of its own: correlation + assignment, and everything (rendering,
             forward passes of both networks, correlation, assignment; ours includes the check of the logits)
 3. memory   the largest resident size of our process

Ratios are peer seconds / our seconds, so above 1 means that mmcbench is faster. Goals: width 64: correlation + assignment 3,
everything 1.3 (resnet18), 1.6 (vgg13); width 8: everything 2; memory below 1 GiB. Exits with 4 where one is missed.
"""
import argparse
import copy
import json
import os
import statistics
import subprocess
import sys

import numpy as np

from bench_peers import Bench, Case, spread

GOALS = {("stages", 64, "resnet18"): 3, ("stages", 64, "vgg13"): 3, ("everything", 64, "resnet18"): 1.3,
         ("everything", 64, "vgg13"): 1.6, ("everything", 8, "resnet18"): 2, ("everything", 8, "vgg13"): 2}
MEMORY_BYTES = 2 ** 30


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", required=True)
    p.add_argument("--peers", required=True)
    p.add_argument("--cases", default="resnet18:64,vgg13:64,resnet18:8,vgg13:8")
    p.add_argument("--train", type=int, default=1024, help="images of a case that names no number")
    p.add_argument("--test", type=int, default=512, help="test images in the generated files")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--epochs", type=int, default=2, help="epochs that the two checkpoints are trained for")
    p.add_argument("--solver", default="scipy", choices=["scipy", "lapx"], help="of the peer")
    p.add_argument("--work", default="build/bench-peers", help="folder for data and checkpoints, shared with bench-peers.sh")
    p.add_argument("--out", help="append every result as a JSON line")
    p.add_argument("--matrices", help="write the correlations of all groups here (npz) and end: `independent`, of the two "
                   "checkpoints; `matched`, of the first with itself, shuffled and with 1%% noise on its weights")
    return p.parse_args()


def ours(case):
    """Rows of one matching, largest resident size in bytes."""
    command = [*case.bench.pin, case.args.program, "match", *case.ends, "--data", case.data, "--dataset", "cifar10-box", "--out",
               case.bench.work / "matched.safetensors", "--json", "--quiet", "--threads", case.args.threads]
    with subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True, env=case.bench.environment) as process:
        rows = [json.loads(line) for line in process.stdout if line.startswith("{")]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"bench-match: {' '.join(map(str, command))}: exit {process.returncode}")
    return rows, usage.ru_maxrss * 1024


def theirs(case):
    return case.bench.peer("peer_match.py", "--data", case.data, *case.model, "--images", 0, "--batch", 128, "--one", case.ends[0],
                           "--two", case.ends[1], "--solver", case.args.solver, "--repeat", 1, "--wait", 0)[0]


def worst_score(rows, peer):
    """Largest difference of a group's mean correlation."""
    mine = {r["group"].removesuffix(".conv1"): r["score"] / len(r["permutation"]) for r in rows if "group" in r}
    if mine.keys() != peer["mean_matched"].keys():
        sys.exit(f"bench-match: groups {sorted(mine)} here, {sorted(peer['mean_matched'])} there")
    return max(abs(mine[g] - other) for g, other in peer["mean_matched"].items())


def judge(case, what, ratio):
    goal = GOALS.get((what, case.width, case.arch))
    missed = goal is not None and statistics.median(ratio) < goal
    print(f"  {what:10} {spread(ratio)}" + (f"   goal {goal}{': MISSED' if missed else ''}" if goal else ""), flush=True)
    return not missed


def compare(case):
    """0 good, 1 other scores, 4 a goal missed."""
    stages = ("render", "forward", "correlation", "assignment")
    mine, peers, worst, memory = [], [], 0.0, 0
    for _ in range(case.args.rounds):
        rows, peak = ours(case)
        peer = theirs(case)
        mine.append(next(r for r in rows if r.get("summary")))
        peers.append(peer["stages"][0])
        worst, memory = max(worst, worst_score(rows, peer)), max(memory, peak)
    same = worst <= 2e-4
    print(f"  scores     mean correlations within {worst:.1e} -> {'same' if same else 'DIFFERENT'}", flush=True)
    if not same:
        return 1
    late = [[r["correlation_s"] + r["assignment_s"] for r in mine], [p["correlation"] + p["assignment"] for p in peers]]
    whole = [[r["wall_s"] for r in mine], [sum(p[s] for s in stages) for p in peers]]
    for name, rows, keys in (("mmcbench", mine, ("forward_s", "correlation_s", "assignment_s")), ("peer", peers, stages)):
        parts = ", ".join(f"{k.removesuffix('_s')} {statistics.median(r[k] for r in rows):.4f}" for k in keys)
        print(f"  {name:10} {parts} s")
    ratios = {"stages": [b / a for a, b in zip(*late)], "everything": [b / a for a, b in zip(*whole)],
              "forward": [(p["render"] + p["forward"]) / r["forward_s"] for r, p in zip(mine, peers)]}
    good = all([judge(case, what, ratio) for what, ratio in ratios.items()])
    good &= memory < MEMORY_BYTES
    print(f"  memory     {memory / 2 ** 20:.0f} MiB{'' if memory < MEMORY_BYTES else ': MISSED'}", flush=True)
    case.bench.emit(part="match", case=case.text, provider=mine[0]["provider"], solver=case.args.solver, scores=worst, ours=mine,
                    peer=peers, memory=memory, threads=case.args.threads, **{f"{k}_ratio": v for k, v in ratios.items()})
    return 0 if good else 4


def correlations(case):
    """{name: matrix} of every group, over 256 images."""
    import torch
    from peer_common import Counterfactuals, load_split, make_model
    from peer_match import Correlation, units
    torch.manual_seed(1)
    one, two = (make_model(case.arch, case.width, 10, 0, file).to(memory_format=torch.channels_last).eval() for file in case.ends)
    noisy = copy.deepcopy(one)
    draw = np.random.default_rng(1)
    out = {}
    with torch.inference_mode():
        for weight in (p for p in noisy.parameters() if p.dim() > 1):
            weight += 0.01 * weight.std() * torch.randn_like(weight)
        images = Counterfactuals(*load_split(case.data, "cifar10", "train"), 10, 1).batch("no-cue", 0, min(256, case.train))
        target = units(one, images)
        for kind, other in (("independent", two), ("matched", noisy)):
            for (name, a), (_, b) in zip(target, units(other, images)):
                c = Correlation()
                c.add(a, b)
                order = draw.permutation(a.shape[1]) if kind == "matched" else slice(None)
                out[f"{kind}_{case.arch}_w{case.width}_{name}"] = c.matrix().numpy()[:, order]
    return out


def main():
    args = arguments()
    bench = Bench(args)
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    if args.matrices:
        sys.path.insert(0, args.peers)
        found = {}
        for text in args.cases.split(","):
            found.update(correlations(Case(bench, text)))
        np.savez(args.matrices, **found)
        print(f"{args.matrices}: {len(found)} matrices of {sorted({len(c) for c in found.values()})} units")
        return 0
    print(f"{cpu}, {args.threads} thread(s) pinned by {' '.join(bench.pin)}, load {os.getloadavg()[0]:.2f}, {args.rounds} rounds")
    print("medians; ratios are peer time / mmcbench time as median [min-max] over rounds")
    status = 0
    for text in args.cases.split(","):
        case = Case(bench, text)
        print(f"{case.arch} width {case.width}: {case.train} images, peer with {args.solver}", flush=True)
        found = compare(case)
        status = found if status != 1 and found else status
    return status


if __name__ == "__main__":
    sys.exit(main())
