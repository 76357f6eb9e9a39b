#!/usr/bin/env python3
"""Writes the seed corpus of the fuzz targets (sound files and hostile ones) to tests/fuzz/corpus. Standard library only.

    python3 tests/fuzz/make_corpus.py
"""
import gzip
import json
import lzma
import math
import pathlib
import struct
import zlib

ROOT = pathlib.Path(__file__).resolve().parent / "corpus"


def write(target, name, data):
    folder = ROOT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def tensors_file(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors():
    def put(name, *args, **more):
        write("safetensors", name, tensors_file(*args, **more))

    sizes = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2,
             "I8": 1, "U8": 1, "BOOL": 1}
    header, at = {"__metadata__": {"arch": "vgg13", "width": "4"}}, 0
    for name, size in sizes.items():
        header["t." + name] = entry(name, [1, 3], at, at + 3 * size)
        at += 3 * size
    put("all_types", header, bytes(range(at)))
    put("empty", {})
    put("scalar", {"s": entry("F32", [], 0, 4)}, b"\0\0\x80\x3f")
    put("zero_extent", {"z": entry("F32", [0, 7], 0, 0), "a": entry("U8", [2], 0, 2)}, b"ab")
    put("padded", b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   ', b"x")
    put("order_reversed", {"b": entry("U8", [2], 1, 3), "a": entry("U8", [1], 0, 1)}, b"abc")
    put("rank_8", {"a": entry("U8", [1] * 8, 0, 1)}, b"x")
    put("length_huge", {}, length=2**64 - 1)
    put("length_sign", {}, length=2**63)
    put("length_past_end", {}, length=3)
    put("length_zero", b"", b"{}", length=0)
    write("safetensors", "no_length", b"\2\0\0\0\0\0\0")
    put("rank_9", {"a": entry("U8", [1] * 9, 0, 1)}, b"x")
    put("overlap", {"a": entry("U8", [3], 0, 3), "b": entry("U8", [3], 2, 5)}, b"abcde")
    put("hole", {"a": entry("U8", [1], 0, 1), "b": entry("U8", [1], 2, 3)}, b"abc")
    put("trailing", {"a": entry("U8", [1], 0, 1)}, b"abc")
    put("reversed_offsets", {"a": entry("U8", [1], 1, 0)}, b"a")
    put("product_overflow", {"a": entry("U8", [2**32, 2**32], 0, 0)})
    put("size_overflow", {"a": entry("F64", [2**61], 0, 0)})
    put("offset_overflow", {"a": entry("U8", [1], 2**63 - 2, 2**63 - 1)}, b"a")
    put("negative", {"a": entry("U8", [-1, -1], 0, 1)}, b"a")
    put("too_big_integer", b'{"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,1]}}', b"a")
    put("float_extent", b'{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', b"a")
    put("same_name", b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
                     b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a")
    put("latin1_name", b'{"\xe9":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a")
    put("nul_name", b'{"a\\u0000":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a")
    put("surrogate_name", b'{"\\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a")
    put("metadata_number", {"__metadata__": {"a": 1}})
    put("metadata_array", {"__metadata__": []})
    put("array", b"[]")
    put("deep", b"[" * 5000)
    put("float8", {"a": entry("F8_E4M3", [1], 0, 1)}, b"a")


def vgg13(width, classes, prefix=""):
    """Names and shapes of its tensors."""
    shapes, before = {}, 3
    for i, channels in enumerate(width * m for m in (1, 1, 2, 2, 4, 4, 8, 8, 8, 8)):
        shapes[f"layers.{i}.conv1.weight"] = [channels, before, 3, 3]
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"layers.{i}.bn1.{name}"] = [channels]
        before = channels
    shapes |= {"linear.weight": [classes, before], "linear.bias": [classes]}
    return {prefix + name: shape for name, shape in shapes.items()}


def resnet18(width, classes):
    shapes = {}

    def unit(conv, bn, out, into, side):
        shapes[conv + ".weight"] = [out, into, side, side]
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{bn}.{name}"] = [out]

    unit("conv1", "bn1", width, 3, 3)
    before = width
    for stage in range(4):
        channels = width << stage
        for block in range(2):
            at = f"layer{stage + 1}.{block}."
            unit(at + "conv1", at + "bn1", channels, before, 3)
            unit(at + "conv2", at + "bn2", channels, channels, 3)
            if stage > 0 and block == 0:
                unit(at + "shortcut_conv", at + "shortcut_bn", channels, before, 1)
            before = channels
    return shapes | {"linear.weight": [classes, before], "linear.bias": [classes]}


def checkpoint():
    """Inputs: a number of zeros (3 bytes), then a file whose last tensors are as many zeros."""
    def put(name, shapes, metadata=None, types=None, start=b""):
        header, at = {"__metadata__": metadata} if metadata else {}, 0
        for tensor, shape in shapes.items():
            kind = (types or {}).get(tensor, "F16")
            end = at + math.prod(shape) * {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "I64": 8}[kind]
            header[tensor] = entry(kind, shape, at, end)
            at = end
        text = json.dumps(header, separators=(",", ":")).encode()
        write("checkpoint", name, (at - len(start)).to_bytes(3, "little") + tensors_file(text, start))

    plain = vgg13(4, 2)
    put("vgg13", plain, {"arch": "vgg13", "width": "4", "classes": "2", "dataset": "dominoes", "seed": "1", "job": "j",
                         "program": "p"})
    put("resnet18", resnet18(4, 2))
    put("state_and_bend", plain | vgg13(4, 2, "mid.0."), {"curve": "quadratic", "bends": "1"})
    put("bend_from_one", vgg13(4, 2, "mid.1."))
    put("bend_17", plain | {"mid.17.linear.bias": [2]})
    put("bend_left_out", plain | {"mid.0.linear.bias": [2], "mid.2.linear.bias": [2]})
    put("bends_lie", plain, {"bends": "2"})
    put("arch_lies", plain, {"arch": "resnet18"})
    put("width_lies", plain, {"width": "64"})
    put("classes_lie", plain, {"classes": "-1"})
    counter = "layers.3.bn1.num_batches_tracked"
    put("counter", plain | {counter: []}, types={counter: "I64"})
    put("counter_of_nothing", plain | {"layers.99.bn1.num_batches_tracked": []})
    put("wide_and_empty", {"conv1.weight": [1024, 0, 3, 3], "linear.weight": [10, 0]})
    put("width_3", vgg13(3, 2))
    put("classes_1", vgg13(4, 1))
    put("linear_missing", {n: s for n, s in plain.items() if not n.startswith("linear")})
    put("tensor_missing", {n: s for n, s in plain.items() if n != "layers.9.bn1.running_var"})
    put("tensor_extra", plain | {"layers.10.conv1.weight": [1]})
    put("shape_wrong", plain | {"layers.5.conv1.weight": [16, 16, 1, 9]})
    put("long_name", plain | {"mid.0." + "x" * 300: [1]})
    put("name_with_newline", plain | {"a\nb": [1]})
    put("integers", plain, types={"linear.bias": "I64"})
    put("mixed_types", plain, types={"linear.bias": "F64", "linear.weight": "BF16", "layers.0.conv1.weight": "F32"})
    put("nan", plain, start=b"\x00\x7e")
    put("infinity", plain, start=b"\x00\x7c")
    variance = "layers.0.bn1.running_var"
    put("variance_negative", {variance: [4]} | plain, start=b"\x00\xbc")
    write("checkpoint", "header_alone", b"\0\0\0" + tensors_file({}))


def cifar():
    image = bytes(i & 255 for i in range(3072))
    ten, hundred = b"\3" + image, b"\x13\x63" + image
    for name, data in {
            "one_10": b"\0\0" + ten, "three_10": b"\0\0" + ten * 3, "limit_10": b"\0\2" + ten * 3,
            "one_100": b"\1\0" + hundred, "two_100": b"\1\0" + hundred * 2, "limit_100": b"\1\1" + hundred * 2,
            "empty": b"\0\0", "cut": b"\0\0" + ten[:-1], "cut_at_label": b"\1\0\x13", "long": b"\0\0" + ten + b"x",
            "label_10": b"\0\0\x0a" + image, "coarse_20": b"\1\0\x14\0" + image, "fine_100": b"\1\0\0\x64" + image,
            "second_bad": b"\0\0" + ten + b"\xff" + image}.items():
        write("cifar", name, data)


def idx():
    def labels(count, data):
        return b"\0\0" + struct.pack(">II", 0x801, count) + data

    def images(count, rows, columns, data, keep=255):
        return b"\1" + bytes([keep]) + struct.pack(">IIII", 0x803, count, rows, columns) + data

    for name, data in {
            "labels": labels(5, b"\0\1\2\3\x09"), "labels_cut": labels(5, b"\0\1"), "labels_long": labels(2, b"\0\1\2"),
            "label_10": labels(2, b"\0\x0a"), "labels_none": labels(0, b""), "labels_many": labels(2**32 - 1, b"\0"),
            "labels_magic": b"\0\0" + struct.pack(">II", 0x803, 1) + b"\0", "labels_header_cut": b"\0\0\0\0\x08",
            "images": images(2, 28, 28, bytes(1568)), "images_keep": images(2, 28, 28, bytes(1568), keep=1),
            "images_keep_none": images(1, 28, 28, bytes(784), keep=0), "images_cut": images(2, 28, 28, bytes(1567)),
            "images_long": images(1, 28, 28, bytes(785)), "images_27": images(1, 27, 28, bytes(784)),
            "images_none": images(0, 28, 28, b""), "images_many": images(2**31, 28, 28, b""),
            "images_magic": b"\1\1" + struct.pack(">IIII", 0x801, 1, 28, 28) + bytes(784),
            "images_header_cut": b"\1\1" + struct.pack(">II", 0x803, 1), "empty": b"\0\0"}.items():
        write("idx", name, data)


def compressed(target, pack):
    def put(name, data, step=255):
        write(target, name, bytes([step]) + data)

    text = b"a plain text, a plain text, and bytes: " + bytes(range(256))
    good = pack(text)
    put("good", good)
    put("good_small_steps", good, step=0)
    put("empty_content", pack(b""))
    put("two_members", good + pack(b"second"))
    put("zeros", pack(bytes(100000)))
    put("empty", b"")
    put("plain", text)
    put("cut_header", good[:5])
    put("cut_middle", good[:len(good) // 2])
    put("cut_trailer", good[:-1])
    put("garbage_after", good + b"x")
    put("magic_after", good + good[:2])
    put("zeros_after", good + bytes(4))
    for at in (3, 12, len(good) // 2, len(good) - 2, len(good) - 10):
        put(f"flipped_{at}", good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1:])


def main():
    safetensors()
    checkpoint()
    cifar()
    idx()
    compressed("gz", lambda data: gzip.compress(data, 6, mtime=0))
    compressed("xz", lambda data: lzma.compress(data, preset=1))
    packer = zlib.compressobj(6, zlib.DEFLATED, 15)
    write("gz", "zlib_not_gzip", b"\x10" + packer.compress(b"abc") + packer.flush())
    write("xz", "lzma_alone", b"\x10" + lzma.compress(b"abc", format=lzma.FORMAT_ALONE))
    for name, check in (("check_none", lzma.CHECK_NONE), ("check_crc32", lzma.CHECK_CRC32),
                        ("check_sha256", lzma.CHECK_SHA256)):
        write("xz", name, b"\x10" + lzma.compress(b"abc", check=check))
    print(sum(1 for p in ROOT.rglob("*") if p.is_file()), "files,",
          sum(p.stat().st_size for p in ROOT.rglob("*") if p.is_file()), "bytes")


if __name__ == "__main__":
    main()
