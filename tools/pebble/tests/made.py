"""The tokenizer half of a model folder, made once a test run by make_tokenizer.py as it stands."""

import atexit
import functools
import pathlib
import tempfile

import make_tokenizer


@functools.cache
def tokenizer_folder() -> pathlib.Path:
    scratch = tempfile.TemporaryDirectory()
    atexit.register(scratch.cleanup)
    if make_tokenizer.main(["--out", scratch.name]) != 0:
        raise RuntimeError("make_tokenizer.py failed")
    return pathlib.Path(scratch.name)
