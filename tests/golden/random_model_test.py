"""tools/make_random_model.py writes well-formed checkpoints: whole headers, finite values, the same bytes every time."""
import json
import math
import os
import struct
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.environ["STRATA_SOURCE_DIR"], "tools"))
import make_random_model as maker

TINY = maker.SHAPES["tiny"]


def write(folder, dtype, seed=1):
    maker.fill(maker.prepare(folder, TINY, dtype, seed))
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        return file.read()


def parse(content):
    """name -> (shape, bytes); fails unless the tensors tile the data exactly."""
    size = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8:8 + size]), content[8 + size:]
    header.pop("__metadata__")
    end = 0
    for entry in header.values():
        assert entry["data_offsets"][0] == end
        end = entry["data_offsets"][1]
    assert end == len(data)
    return {name: (entry["shape"], data[slice(*entry["data_offsets"])]) for name, entry in header.items()}


def decode(raw, dtype):
    if dtype == "bf16":
        raw, dtype = b"".join(b"\0\0" + raw[i:i + 2] for i in range(0, len(raw), 2)), "f32"
    code, width = {"f32": ("f", 4), "f16": ("e", 2)}[dtype]
    return struct.unpack(f"<{len(raw) // width}{code}", raw)


class RandomModel(unittest.TestCase):
    def setUp(self):
        self.stderr = mock.patch("sys.stderr", open(os.devnull, "w"))
        self.stderr.start()

    def tearDown(self):
        sys.stderr.close()
        self.stderr.stop()

    def test_values_are_finite_small_and_of_both_signs(self):
        for dtype in maker.DTYPES:
            with self.subTest(dtype), tempfile.TemporaryDirectory() as folder:
                found = parse(write(folder, dtype))
                self.assertEqual({name: shape for name, (shape, _) in found.items()}, dict(maker.tensors(TINY)))
                for name, (shape, raw) in found.items():
                    values = decode(raw, dtype)
                    self.assertEqual(len(values), math.prod(shape))
                    self.assertTrue(all(map(math.isfinite, values)), name)
                    if len(shape) == 1:
                        self.assertTrue(all(0.8 < value < 1.3 for value in values), name)
                    else:
                        mean = sum(values) / len(values)
                        deviation = math.sqrt(sum(value * value for value in values) / len(values))
                        self.assertLess(abs(mean), 0.1 * deviation, name)
                        self.assertTrue(0.4 < deviation * math.sqrt(shape[1]) < 2.5, name)

    def test_bytes_depend_on_the_seed_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            first = write(folder, "bf16")
            with mock.patch("os.cpu_count", return_value=1):
                self.assertEqual(write(folder, "bf16"), first)
            self.assertNotEqual(write(folder, "bf16", seed=2), first)

    def test_released_sizes(self):
        total = {name: sum(math.prod(dims) for _, dims in maker.tensors(shape))
                 for name, shape in maker.SHAPES.items()}
        self.assertEqual(total["llama-3.2-1b"], 1_235_814_400)
        self.assertEqual(total["llama-3-8b"], 8_030_261_248)

    def test_large_models_are_sharded(self):
        shards = maker.plan_shards(maker.SHAPES["llama-3-8b"], 2)
        self.assertGreater(len(shards), 1)
        self.assertTrue(all(sum(size for *_, size in shard) <= maker.SHARD_BYTES for shard in shards))
        self.assertEqual(sum(len(shard) for shard in shards), 291)


if __name__ == "__main__":
    unittest.main()
