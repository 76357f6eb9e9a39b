"""Interleaved comparison of mmcbench with PyTorch programs; started by bench-peers.sh.

Both sides read the same generated files in CIFAR-10's binary layout and the same two checkpoints. A case is
ARCH:WIDTH[:TRAIN[:TEST]]. Per case:

 1. values   one path, BN `momentum` over batches of 128, sets no-cue and with-cue: accuracy and loss of both programs at
             every point; a difference above --loss-tolerance ends the case, for a fast wrong answer is no answer
 2. path     all four sets, round after round: ours, then each peer variant in a process of its own
 3. train    images per second of SGD steps, batch 256
 4. start    a fresh process that evaluates one batch

Ratios are peer seconds / our seconds, so above 1 means that mmcbench is faster. `forward` ratios compare rates of image
forwards that really ran; `saved` is image forwards that the procedure defines / those that ran.
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

SETS = {"NC": "no-cue", "C": "with-cue"}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", required=True)
    p.add_argument("--peers", required=True)
    p.add_argument("--cases", default="resnet18:8,resnet18:16,vgg13:8")
    p.add_argument("--train", type=int, default=2048, help="train images of a case that names no number")
    p.add_argument("--test", type=int, default=1024, help="test images of a case that names no number")
    p.add_argument("--points", type=int, default=3)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--epochs", type=int, default=2, help="epochs that the two checkpoints are trained for")
    p.add_argument("--batch", type=int, default=128, help="evaluation batch of both programs")
    p.add_argument("--path-variants", default="eager-nchw+eager,eager+fused,compile+fused")
    p.add_argument("--train-variants", default="eager-nchw,eager,compile")
    p.add_argument("--providers", default="auto", help="of mmcbench, comma-separated")
    p.add_argument("--parts", default="values,path,train,start")
    p.add_argument("--loss-tolerance", type=float, default=1e-4, help="relative to max(1, loss)")
    p.add_argument("--work", default="build/bench-peers", help="folder for data, checkpoints, compiled code")
    p.add_argument("--out", help="append every result as a JSON line")
    return p.parse_args()


class Bench:
    def __init__(self, args):
        self.args = args
        self.work = Path(args.work).resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        cores = sorted(os.sched_getaffinity(0))[: args.threads]
        if len(cores) < args.threads:
            sys.exit(f"bench-peers: --threads {args.threads}, but this process may use {len(cores)} cores")
        self.pin = ["taskset", "-c", ",".join(map(str, cores))]
        known = {k: v for k, v in os.environ.items() if not k.startswith("MMC_")}
        self.environment = dict(known, OMP_NUM_THREADS=str(args.threads),
                                TORCHINDUCTOR_CACHE_DIR=str(self.work / "inductor"))

    def run(self, command):
        """stdout of a pinned process; its error text ends the program."""
        done = subprocess.run(self.pin + [str(c) for c in command], capture_output=True, text=True, env=self.environment)
        if done.returncode:
            sys.exit(f"bench-peers: {' '.join(map(str, command))}\n{done.stderr.strip()[-2000:]}")
        return done.stdout

    def rows(self, command):
        return [json.loads(line) for line in self.run(command).splitlines() if line.startswith("{")]

    def ours(self, command, *rest):
        return self.rows([self.args.program, command, *rest, "--json", "--quiet", "--threads", self.args.threads])

    def peer(self, script, *rest):
        return self.rows([sys.executable, f"{self.args.peers}/{script}", *rest, "--threads", self.args.threads])

    def emit(self, **row):
        if self.args.out:
            with open(self.args.out, "a") as f:
                print(json.dumps(row), file=f)


def write_cifar10(folder, train, test):
    """Random images and labels, 1 + 3072 bytes a record; made once."""
    folder = folder / "cifar-10-batches-bin"
    if folder.exists():
        return
    scratch = folder.with_suffix(".new")
    scratch.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(20240229)

    def write(name, n):
        rows = draw.integers(0, 256, (n, 3073), dtype=np.uint8)
        rows[:, 0] = draw.permutation(np.arange(n) % 10)
        (scratch / name).write_bytes(rows.tobytes())
    for i, part in enumerate(np.array_split(np.arange(train), 5 if train >= 5000 else 1)):
        write(f"data_batch_{i + 1}.bin", len(part))
    write("test_batch.bin", test)
    scratch.rename(folder)


def spread(values):
    return f"{statistics.median(values):.2f} [{min(values):.2f}-{max(values):.2f}]"


class Case:
    def __init__(self, bench, text):
        fields = text.split(":")
        if not 2 <= len(fields) <= 4:
            sys.exit(f"bench-peers: case '{text}': give ARCH:WIDTH[:TRAIN[:TEST]]")
        sizes = [bench.args.train, bench.args.test]
        sizes[: len(fields) - 2] = map(int, fields[2:])
        self.bench, self.args, self.text = bench, bench.args, text
        self.arch, self.width, (self.train, self.test) = fields[0], int(fields[1]), sizes
        self.data = bench.work / f"data-{self.train}-{self.test}"
        write_cifar10(self.data, self.train, self.test)
        ends = bench.work / f"{self.arch}-w{self.width}-{self.train}-e{self.args.epochs}"
        ends.mkdir(exist_ok=True)
        self.ends = [ends / "one.safetensors", ends / "two.safetensors"]
        for seed, file in enumerate(self.ends, 1):
            if not file.exists():
                bench.ours("train", "--arch", self.arch, "--width", self.width, "--dataset", "cifar10-box", "--data", self.data,
                           "--epochs", self.args.epochs, "--cue", 2 - seed, "--seed", seed, "--out", file)
        self.model = ("--arch", self.arch, "--width", self.width)

    def our_path(self, provider, *rest):
        return self.bench.ours("path", *self.ends, "--data", self.data, "--dataset", "cifar10-box", "--points", self.args.points,
                               "--bn", "momentum", "--bn-batch", 128, "--batch", self.args.batch, "--provider", provider, *rest)

    def peer_path(self, variant, *rest):
        return self.bench.peer("peer_path.py", "--data", self.data, *self.model, "--points", self.args.points, "--bn", "momentum",
                               "--bn-batch", 128, "--batch", self.args.batch, "--one", self.ends[0], "--two", self.ends[1],
                               "--variants", variant, "--repeat", 1, "--wait", 0, *rest)

    def values(self, provider):
        """Largest differences over points and sets, against the first peer variant."""
        file = self.bench.work / "values.jsonl"
        self.peer_path(self.args.path_variants.split(",")[0], "--sets", ",".join(SETS.values()), "--values", file)
        theirs = {(round(r["t"], 6), r["set"]): r for r in map(json.loads, file.read_text().splitlines())}
        loss = accuracy = 0.0
        rows = [r for r in self.our_path(provider, "--sets", ",".join(SETS)) if "set" in r]
        for row in rows:
            other = theirs[round(row["t"], 6), SETS[row["set"]]]
            loss = max(loss, abs(row["loss"] - other["loss"]) / max(1.0, other["loss"]))
            accuracy = max(accuracy, abs(row["accuracy"] - other["accuracy"]))
        if len(rows) != len(theirs):
            sys.exit(f"bench-peers: {self.text}: {len(rows)} values here, {len(theirs)} there")
        good = loss <= self.args.loss_tolerance
        print(f"  values   {provider:10} {len(rows)} points and sets: loss within {loss:.1e}, accuracy within {accuracy:.1e}"
              f" -> {'same' if good else 'DIFFERENT'}", flush=True)
        self.bench.emit(part="values", case=self.text, provider=provider, loss=loss, accuracy=accuracy, same=good)
        return good

    def path(self, providers):
        variants = self.args.path_variants.split(",")
        mine, theirs = {p: [] for p in providers}, {v: [] for v in variants}
        for v in variants:
            self.peer_path(v) # compiles into the cache, outside the clock
        for _ in range(self.args.rounds):
            for p in providers:
                mine[p].append(next(r for r in self.our_path(p) if r.get("summary")))
            for v in variants:
                theirs[v] += self.peer_path(v)
        defined = self.args.points * (self.train + 4 * self.test)
        seconds = {v: [r["samples"][0] for r in rows] for v, rows in theirs.items()}
        best = min(variants, key=lambda v: statistics.median(seconds[v]))
        for v in variants:
            bn, ev = (statistics.median(r[f"{k}_images_per_s"] for r in theirs[v]) for k in ("bn", "eval"))
            print(f"  path     peer {v:18} {statistics.median(seconds[v]):8.3f} s   BN {bn:8.0f}/s   evaluation {ev:8.0f}/s", flush=True)
        for p in providers:
            wall = [r["wall_s"] for r in mine[p]]
            bn = [r["image_forwards_bn"] / r["bn_s"] for r in mine[p]]
            ev = [(r["image_forwards"] - r["image_forwards_bn"]) / r["eval_s"] for r in mine[p]]
            saved = defined / mine[p][0]["image_forwards"]
            print(f"  path     mmcbench {mine[p][0]['provider']:14} {statistics.median(wall):8.3f} s   BN {statistics.median(bn):8.0f}/s"
                  f"   evaluation {statistics.median(ev):8.0f}/s   saved {saved:.3f}x")
            for v in dict.fromkeys((best, variants[0])):
                ratio = [b / a for a, b in zip(wall, seconds[v])]
                bn_ratio = [a / r["bn_images_per_s"] for a, r in zip(bn, theirs[v])]
                ev_ratio = [a / r["eval_images_per_s"] for a, r in zip(ev, theirs[v])]
                print(f"             against {v:18} whole path {spread(ratio)}   one BN forward {spread(bn_ratio)}"
                      f"   one evaluation forward {spread(ev_ratio)}")
                self.bench.emit(part="path", case=self.text, provider=mine[p][0]["provider"], variant=v, wall_s=wall,
                                peer_s=seconds[v], ratio=ratio, bn_ratio=bn_ratio, eval_ratio=ev_ratio, saved=saved,
                                threads=self.args.threads)
            # The authors' procedure estimates BN anew for every set: computed from the eager rates, not run.
            eager = next((v for v in variants if v.startswith("eager-nchw")), None)
            if eager:
                authors = [4 * self.args.points * (self.train / r["bn_images_per_s"] + self.test / r["eval_images_per_s"])
                           for r in theirs[eager]]
                ratio = [b / a for a, b in zip(wall, authors)]
                print(f"             against the authors' procedure at {eager} rates (computed): {spread(ratio)}", flush=True)
                self.bench.emit(part="authors", case=self.text, provider=mine[p][0]["provider"], ratio=ratio)

    def train_steps(self, providers):
        variants = self.args.train_variants.split(",")
        steps = max(1, min(5, self.train // 256))
        mine, theirs = {p: [] for p in providers}, {v: [] for v in variants}
        run_peer = lambda v: self.bench.peer("peer_train.py", "--data", self.data, *self.model, "--batch", 256, "--steps", steps,
                                             "--variants", v, "--repeat", 1, "--wait", 0)
        for v in variants:
            run_peer(v)
        out = self.bench.work / "trained.safetensors"
        for _ in range(self.args.rounds):
            for p in providers:
                rows = self.bench.ours("train", *self.model, "--dataset", "cifar10-box", "--data", self.data, "--epochs", 2,
                                       "--cue", 1, "--provider", p, "--out", out)
                mine[p].append([r["images_per_s"] for r in rows if "epoch" in r][-1]) # the first epoch warms up
            for v in variants:
                theirs[v] += [r["images_per_s"] for r in run_peer(v)]
        best = max(variants, key=lambda v: statistics.median(theirs[v]))
        for v in variants:
            print(f"  train    peer {v:18} {statistics.median(theirs[v]):8.0f} images/s")
        for p in providers:
            print(f"  train    mmcbench {p:14} {statistics.median(mine[p]):8.0f} images/s", flush=True)
            for v in dict.fromkeys((best, variants[0])):
                ratio = [a / b for a, b in zip(mine[p], theirs[v])]
                print(f"             against {v:18} {spread(ratio)}", flush=True)
                self.bench.emit(part="train", case=self.text, provider=p, variant=v, images_per_s=mine[p], peer=theirs[v],
                                ratio=ratio, threads=self.args.threads)

    def start(self):
        mine, theirs = [], []
        command = [self.args.program, "eval", self.ends[0], "--data", self.data, "--dataset", "cifar10-box", "--sets", "NC",
                   "--limit-test", 128, "--json", "--quiet", "--threads", self.args.threads]
        for i in range(self.args.rounds + 1):
            begin = time.perf_counter()
            self.bench.run(command)
            middle = time.perf_counter()
            theirs += self.bench.peer("peer_start.py", *self.model, "--repeat", 1, "--wait", 0)[0]["samples"]
            mine.append(middle - begin)
        ratio = [b / a for a, b in zip(mine[1:], theirs[1:])] # the first round warms the file cache
        print(f"  start    mmcbench {statistics.median(mine[1:]):.3f} s, peer {statistics.median(theirs[1:]):.3f} s: {spread(ratio)}", flush=True)
        self.bench.emit(part="start", case=self.text, start_s=mine[1:], peer_s=theirs[1:], ratio=ratio)


def main():
    args = arguments()
    bench = Bench(args)
    providers, parts = args.providers.split(","), args.parts.split(",")
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    print(f"{cpu}, {args.threads} thread(s) pinned by {' '.join(bench.pin)}, load {os.getloadavg()[0]:.2f}, {args.rounds} rounds")
    print("medians; ratios are peer time / mmcbench time as median [min-max] over rounds")
    good = True
    for text in args.cases.split(","):
        case = Case(bench, text)
        print(f"{case.arch} width {case.width}: {case.train} train, {case.test} test images, {args.points} points", flush=True)
        if "values" in parts and not all([case.values(p) for p in providers]):
            good = False
            continue
        if "path" in parts:
            case.path(providers)
        if "train" in parts:
            case.train_steps(providers)
        if "start" in parts:
            case.start()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
