"""Holds compiled code to what its sources promise; reads object files with nm.

- No libm call reaches a result: its variants differ by CPU and release (docs/design/numerics.md).
- A unit with the flags of an instruction set defines no weak symbol: the linker could pick such a
  copy of a shared inline function for everyone, and the program would die on a lesser CPU.
"""

import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True

RESULT_LAYERS = ("tensor", "kernels", "model", "sampling")
LIBM = re.compile(
    r"(?:exp|exp2|exp10|expm1|log|log2|log10|log1p|sin|cos|sincos|tan|asin|acos|atan|atan2|sinh"
    r"|cosh|tanh|pow|erf|erfc|cbrt|hypot|tgamma|lgamma)[fl]?"
)
WIDE_UNIT = re.compile(r"/x86/\w+\.cc\.o$")


def libm_calls(symbols):
    """Names of libm functions among the undefined symbols that `nm` printed."""
    return [name for name in re.findall(r" U (\w+)", symbols) if LIBM.fullmatch(name)]


def weak_symbols(symbols):
    """Weak and unique definitions that `nm` printed."""
    return re.findall(r"^[0-9a-f]+ [WVu] (\S+)", symbols, re.MULTILINE)


def nm(path):
    return subprocess.run(["nm", path], check=True, capture_output=True, text=True).stdout


class Symbols(unittest.TestCase):
    """The objects of this build."""

    def objects(self, layers):
        folder = pathlib.Path(os.environ["STRATA_BINARY_DIR"], "src")
        found = [
            str(path)
            for layer in layers
            for path in sorted((folder / layer).rglob("*.cc.o"))
            if "_test.dir" not in str(path) and "test_" not in path.name
        ]
        self.assertTrue(found, f"no object files under {folder}")
        return found

    def test_no_libm_in_results(self):
        for path in self.objects(RESULT_LAYERS):
            with self.subTest(path):
                self.assertEqual(libm_calls(nm(path)), [])

    def test_wide_units_share_nothing(self):
        units = [path for path in self.objects(["kernels"]) if WIDE_UNIT.search(path)]
        if os.uname().machine == "x86_64":
            self.assertTrue(units)
        for path in units:
            with self.subTest(path):
                self.assertEqual(weak_symbols(nm(path)), [])


class Planted(unittest.TestCase):
    """The two readings of nm on lines written by hand."""

    def test_libm(self):
        text = "                 U expf\n                 U fmaf\n                 U memset\n"
        self.assertEqual(libm_calls(text + "0000000000000010 T log\n"), ["expf"])

    def test_weak(self):
        text = "0000000000000000 W _ZSt3maxIlERKT_S2_S2_\n0000000000000000 T _ZN6strata1fEv\n"
        text += "                 w __gmon_start__\n"
        self.assertEqual(weak_symbols(text), ["_ZSt3maxIlERKT_S2_S2_"])


if __name__ == "__main__":
    unittest.main()
