"""An independent evaluation of mmcbench's checkpoints in PyTorch, compared with what the program says.

Networks, batch norm estimates, counterfactual images and SGD are written here a second time from their definitions, in
float64 where the program has float32, so that a mistake would have to be made twice. The random draws of the sets RC
and RI are the program's (`mmcbench data render` writes them out); everything made of them is computed here.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F

CORNERS = [(0, 0), (0, 14), (0, 29), (14, 0), (14, 14), (14, 29), (29, 0), (29, 14), (29, 29)]
BOX = torch.tensor([0.0, 1.0, 0.0])  # red of hue 1, stored as blue, red, green
MOMENTUM_BN = 0.1
EPS = 1e-5


# --- data ---


def make_images(rng, count):
    """Random images that differ between classes, in the layout of CIFAR-10's binary files."""
    labels = np.arange(count) % 10
    rng.shuffle(labels)
    base = np.random.default_rng(10).integers(0, 256, (10, 3, 32, 32))
    noise = rng.integers(0, 256, (count, 3, 32, 32))
    return ((base[labels] * 2 + noise * 3) // 5).astype(np.uint8), labels.astype(np.uint8)


def write_cifar(path, images, labels):
    records = np.concatenate([labels[:, None], images.reshape(len(images), -1)], axis=1)
    records.astype(np.uint8).tofile(path)


def normalise(images):
    return torch.from_numpy(images).double() / 127.5 - 1


def put_boxes(x, places, carried):
    x = x.clone()
    for i, (place, has) in enumerate(zip(places, carried)):
        if has and place < len(CORNERS):
            r, c = CORNERS[place]
            x[i, :, r : r + 3, c : c + 3] = BOX[:, None, None]
    return x


def cue_flags(labels, p):
    """The first floor(n p) samples of each class carry the cue."""
    flags = np.zeros(len(labels), bool)
    for c in range(10):
        where = np.flatnonzero(labels == c)
        flags[where[: int(len(where) * p)]] = True
    return flags


def make_sets(images, labels, draws):
    x, all_of_them = normalise(images), np.ones(len(labels), bool)
    return {
        "NC": x,
        "C": put_boxes(x, labels, all_of_them),
        "RC": put_boxes(x, draws["place"].numpy(), all_of_them),
        "RI": put_boxes(x[draws["image_index"].long()], labels, all_of_them),
    }


# --- networks: lists of (convolution, batch norm) names, evaluated on a dictionary of tensors ---


class Network:
    def __init__(self, arch, width):
        self.arch, self.width = arch, width
        self.convs = {}  # name -> (out, in, side, batch norm's name)
        if arch == "vgg13":
            channels, previous = [1, 1, 2, 2, 4, 4, 8, 8, 8, 8], 3
            for i, c in enumerate(channels):
                self.convs[f"layers.{i}.conv1"] = (c * width, previous, 3, f"layers.{i}.bn1")
                previous = c * width
        else:
            self.convs["conv1"] = (width, 3, 3, "bn1")
            previous = width
            for stage in range(1, 5):
                out = width << (stage - 1)
                for block in range(2):
                    name = f"layer{stage}.{block}"
                    self.convs[f"{name}.conv1"] = (out, previous, 3, f"{name}.bn1")
                    self.convs[f"{name}.conv2"] = (out, out, 3, f"{name}.bn2")
                    if stage > 1 and block == 0:
                        self.convs[f"{name}.shortcut_conv"] = (out, previous, 1, f"{name}.shortcut_bn")
                    previous = out
        self.features = previous

    def init(self, seed):
        generator = torch.Generator().manual_seed(seed)

        def uniform(*shape, fan_in):
            return (torch.rand(*shape, generator=generator) * 2 - 1) / fan_in**0.5

        state = {}
        for name, (out, inputs, side, bn) in self.convs.items():
            state[f"{name}.weight"] = uniform(out, inputs, side, side, fan_in=inputs * side * side)
            state[f"{bn}.weight"] = 1 + 0.2 * torch.randn(out, generator=generator)
            state[f"{bn}.bias"] = 0.1 * torch.randn(out, generator=generator)
            state[f"{bn}.running_mean"] = 0.1 * torch.randn(out, generator=generator)
            state[f"{bn}.running_var"] = 0.5 + torch.rand(out, generator=generator)
            state[f"{bn}.num_batches_tracked"] = torch.tensor(7)
        state["linear.weight"] = uniform(10, self.features, fan_in=self.features)
        state["linear.bias"] = uniform(10, fan_in=self.features)
        return state

    def forward(self, state, x, batch_statistics=None):
        """batch_statistics: None for the stored ones, else a function called with (name, mean, var, count)."""

        def unit(x, name, stride):
            side, bn = self.convs[name][2:]
            z = F.conv2d(x, state[f"{name}.weight"], stride=stride, padding=side // 2)
            if batch_statistics is None:
                mean, var = state[f"{bn}.running_mean"], state[f"{bn}.running_var"]
            else:
                mean, var = z.mean((0, 2, 3)), z.var((0, 2, 3), unbiased=False)
                batch_statistics(bn, mean.detach(), var.detach(), z.numel() // z.shape[1])
            scale = state[f"{bn}.weight"] / torch.sqrt(var + EPS)
            return (z - mean[:, None, None]) * scale[:, None, None] + state[f"{bn}.bias"][:, None, None]

        if self.arch == "vgg13":
            for i in range(10):
                x = F.relu(unit(x, f"layers.{i}.conv1", 2 if i in (1, 3, 5, 7) else 1))
        else:
            x = F.relu(unit(x, "conv1", 1))
            for stage in range(1, 5):
                for block in range(2):
                    name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
                    y = unit(F.relu(unit(x, f"{name}.conv1", stride)), f"{name}.conv2", 1)
                    shortcut = unit(x, f"{name}.shortcut_conv", stride) if stride == 2 else x
                    x = F.relu(y + shortcut)
        return F.linear(x.mean((2, 3)), state["linear.weight"], state["linear.bias"])


def is_running(name):
    return name.endswith("running_mean") or name.endswith("running_var")


def double(state):
    return {k: v.double() for k, v in state.items() if not k.endswith("num_batches_tracked")}


def move_running(state, bn, mean, var, count):
    state[f"{bn}.running_mean"] += MOMENTUM_BN * (mean - state[f"{bn}.running_mean"])
    state[f"{bn}.running_var"] += MOMENTUM_BN * (var * count / (count - 1) - state[f"{bn}.running_var"])


@torch.no_grad()
def estimate(network, state, images, mode, batch):
    state = {k: v.clone() for k, v in state.items()}
    sums = {}

    def pool(bn, mean, var, count):
        n, s, q = sums.get(bn, (0, 0, 0))
        sums[bn] = n + count, s + count * mean, q + count * (var + mean * mean)

    def momentum(bn, mean, var, count):
        move_running(state, bn, mean, var, count)

    for i in range(0, len(images), batch):
        network.forward(state, images[i : i + batch], pool if mode == "pooled" else momentum)
    for bn, (n, s, q) in sums.items():
        state[f"{bn}.running_mean"] = s / n
        state[f"{bn}.running_var"] = (q / n - (s / n) ** 2) * n / (n - 1)
    return state


@torch.no_grad()
def evaluate(network, state, x, labels):
    logits = network.forward(state, x)
    loss = F.cross_entropy(logits, labels).item()
    return (logits.argmax(1) == labels).double().mean().item(), loss


# --- comparison ---


class Comparison:
    def __init__(self):
        self.worst, self.failed = {}, 0

    def values(self, what, ours, theirs, tolerance):
        difference = abs(ours - theirs)
        largest = self.worst.get(what, (0, tolerance))[0]
        self.worst[what] = max(difference, largest), tolerance
        if not difference <= tolerance:
            self.failed += 1
            print(f"DIFFERS {what}: mmcbench {ours:.9g}, PyTorch {theirs:.9g}, tolerance {tolerance:.3g}")

    def report(self):
        for what, (difference, tolerance) in self.worst.items():
            print(f"{what:44s} largest difference {difference:.3e}  (tolerance {tolerance:.3g})")


def program(arguments, words):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MMC_")}
    environment["MMC_THREADS"] = str(arguments.threads)
    result = subprocess.run([arguments.program, *words], env=environment, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"mmcbench {' '.join(words)}: exit code {result.returncode}\n{result.stderr}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def check_rows(comparison, what, rows, network, state, sets, labels):
    seen = set()
    for row in rows:
        seen.add(row["set"])
        accuracy, loss = evaluate(network, state, sets[row["set"]], labels)
        # one image whose two best logits lie within rounding may fall on either side
        comparison.values(f"{what} accuracy", row["accuracy"], accuracy, 1.01 / len(labels))
        comparison.values(f"{what} loss", row["loss"], loss, 2e-6 * max(1, loss))
    if seen != set(sets):
        sys.exit(f"{what}: rows of {sorted(seen)}, not of all sets")


def check_training(comparison, arguments, network, start, folder, images, labels):
    """Two epochs in file order: the loss of every step, and the final state.

    Few steps at a low rate: a ReLU input near 0 may fall on either side of it in float32, which changes a gradient by a
    whole term; PyTorch's own float32 leaves its float64 by 3e-2 after ten steps at rate 0.05.
    """
    epochs, batch, lr, cue = 2, max(32, len(images) // 2), 0.01, 0.5
    out = os.path.join(folder, "trained.safetensors")
    rows = program(
        arguments,
        ["train", "--init", os.path.join(folder, "A.safetensors"), "--dataset", "cifar10-box", "--data", folder]
        + ["--epochs", str(epochs), "--batch", str(batch), "--lr", str(lr), "--cue", str(cue), "--order", "sequential"]
        + ["--schedule", "step:1:0.5", "--log-steps", "--json", "--out", out],
    )
    losses = [row["loss"] for row in rows if "step" in row]
    x = put_boxes(normalise(images), labels, cue_flags(labels, cue))
    y = torch.from_numpy(labels).long()
    state = {k: v.clone() for k, v in start.items()}
    names = [k for k in state if not is_running(k)]
    velocity = {k: torch.zeros_like(state[k]) for k in names}
    step = 0
    for epoch in range(epochs):
        rate = lr * 0.5**epoch
        for i in range(0, len(x), batch):
            leaves = {k: state[k].clone().requires_grad_() for k in names}
            running = []
            logits = network.forward({**state, **leaves}, x[i : i + batch], lambda *a: running.append(a))
            loss = F.cross_entropy(logits, y[i : i + batch])
            loss.backward()
            comparison.values(f"{network.arch} loss of training steps", losses[step], loss.item(), 2e-4)
            for k in names:
                velocity[k] = 0.9 * velocity[k] + leaves[k].grad + 1e-4 * state[k]
                state[k] = state[k] - rate * velocity[k]
            for bn, mean, var, count in running:
                move_running(state, bn, mean, var, count)
            step += 1
    if step != len(losses):
        sys.exit(f"training: {len(losses)} steps, not {step}")
    final = safetensors.torch.load_file(out)
    if set(final) != set(state):
        sys.exit(f"training: tensors differ: {set(final) ^ set(state)}")
    moved = max((state[k] - start[k]).norm().item() for k in names)
    apart = max((final[k].double() - state[k]).norm().item() for k in names)
    comparison.values(f"{network.arch} final weights, of the distance moved", apart / moved, 0, 0.05)


def check_arch(comparison, arguments, arch, folder, data):
    network = Network(arch, arguments.width)
    states = {}
    train = normalise(data["train"][0])
    for seed, name in enumerate("ABM"):
        state = network.init(seed)
        # running values near the real ones: with arbitrary ones the signal dies on its way and anything agrees
        generator = torch.Generator().manual_seed(seed)
        for key, value in estimate(network, double(state), train, "pooled", 128).items():
            if is_running(key):
                state[key] = (value * (0.8 + 0.4 * torch.rand(value.shape, generator=generator))).float()
        safetensors.torch.save_file(state, os.path.join(folder, f"{name}.safetensors"))
        states[name] = double(state)
    files = {name: os.path.join(folder, f"{name}.safetensors") for name in states}
    labels = torch.from_numpy(data["test"][1]).long()
    common = ["--dataset", "cifar10-box", "--data", folder, "--json"]
    provider = ["--provider", arguments.provider]

    rows = program(arguments, ["eval", files["A"], *common, *provider])
    check_rows(comparison, f"{arch} eval stored", rows, network, states["A"], data["sets"], labels)
    for mode in ("momentum", "pooled"):
        for curve in ("linear", "quadratic"):
            words = ["path", files["A"], files["B"], "--points", "3", "--bn", mode, "--bn-batch", "128", *common, *provider]
            rows = program(arguments, words + (["--mid", files["M"]] if curve == "quadratic" else []))
            for t in (0, 0.5, 1):
                a, m, b = (1 - t, 0, t) if curve == "linear" else ((1 - t) ** 2, 2 * t * (1 - t), t * t)
                point = {k: a * states["A"][k] + m * states["M"][k] + b * states["B"][k] for k in states["A"]}
                point = estimate(network, point, train, mode, 128)
                at_t = [row for row in rows if row.get("t") == t]
                check_rows(comparison, f"{arch} path {curve} {mode}", at_t, network, point, data["sets"], labels)
    check_training(comparison, arguments, network, states["A"], folder, *data["train"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--train", type=int, default=320, help="training images")
    parser.add_argument("--test", type=int, default=200, help="evaluation images")
    parser.add_argument("--provider", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--arch", default="resnet18,vgg13")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    comparison = Comparison()
    with tempfile.TemporaryDirectory(prefix="mmcbench-oracle-") as folder:
        rng = np.random.default_rng(1)
        os.mkdir(os.path.join(folder, "cifar-10-batches-bin"))
        data = {}
        for split, count, name in (("train", arguments.train, "data_batch_1"), ("test", arguments.test, "test_batch")):
            data[split] = make_images(rng, count)
            write_cifar(os.path.join(folder, "cifar-10-batches-bin", f"{name}.bin"), *data[split])
        rendered = os.path.join(folder, "rendered.safetensors")
        program(arguments, ["data", "render", "--dataset", "cifar10-box", "--data", folder, "--out", rendered])
        draws = safetensors.torch.load_file(rendered)
        data["sets"] = make_sets(*data["test"], draws)
        for name, x in data["sets"].items():
            largest = (draws[f"images_{name}"].double() - x).abs().max().item()
            comparison.values("images of every set", largest, 0, 2e-7)
        for arch in arguments.arch.split(","):
            check_arch(comparison, arguments, arch, folder, data)
    comparison.report()
    if comparison.failed:
        sys.exit(f"compare-oracle: {comparison.failed} values differ by more than their tolerance")
    print("compare-oracle: all values agree")


if __name__ == "__main__":
    main()
