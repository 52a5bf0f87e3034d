"""The counter-based weights of the golden cases, in numpy; tests/golden/synth_weights.cc computes the same bits.

docs/design/goldens.md defines them. Every step is integer arithmetic or one IEEE float32 operation, so no
library, CPU or compiler can change a value.
"""
import numpy as np

DEVIATION = 37837.2  # of the sum of four uniform 16-bit lanes: 65536 / sqrt(3)
LANES_MEAN = 131070  # of the same sum: 4 * 65535 / 2
GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)


def fnv1a(data):
    """64-bit FNV-1a of bytes."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def mix(x):
    """splitmix64's finaliser, on an array of uint64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def bits(name, count, seed):
    """The 64 random bits behind each of the first `count` values of a tensor."""
    with np.errstate(over="ignore"):
        key = mix(np.uint64([fnv1a(name.encode())]) + np.uint64(seed) * GOLDEN_RATIO)
        return mix(key + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN_RATIO)


def values(name, count, seed, mean, scale):
    """float32 values of mean `mean` and standard deviation `scale`."""
    lanes = bits(name, count, seed).view("<u2").reshape(count, 4)
    centred = (lanes.astype(np.int64).sum(axis=1) - LANES_MEAN).astype(np.float32)
    return centred * np.float32(scale / DEVIATION) + np.float32(mean)


def to_bf16(x):
    """float32 to the nearest bfloat16, ties to even, as uint16 (finite values only)."""
    raw = x.view(np.uint32)
    return ((raw + np.uint32(0x7FFF) + ((raw >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


def encode(x, dtype):
    """Little-endian bytes of the values in the checkpoint's dtype."""
    if dtype == "bf16":
        return to_bf16(x).astype("<u2").tobytes()
    return x.astype({"f16": "<f2", "f32": "<f4"}[dtype]).tobytes()


def prompt(length, vocab, seed):
    """Token ids of a prompt: uniform over the vocabulary."""
    return [int(word >> np.uint64(32)) * vocab >> 32 for word in bits("prompt", length, seed)]
