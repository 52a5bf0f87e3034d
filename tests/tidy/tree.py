"""The repository as the rules see it: its text files, read once, named by their path from the root.

Build outputs and what git ignores are left out by folder name; nothing outside the root is read.
"""

import functools
import pathlib

_SKIPPED_FOLDERS = {
    ".git",
    "build",
    "target",
    "__pycache__",
    ".cache",
    ".venv",
    "node_modules",
    "shared",
}
_GENERATED = "web/dist/"  # built from web/src and committed: ./run clients compares it with its sources
_CODE = (".cc", ".h", ".py", ".rs", ".sh", ".cmake", ".ts", ".tsx", ".css")
_TEXT = _CODE + (".md", ".txt", ".json", ".toml", ".yml", ".yaml", ".in", ".html", ".S")
_SCRIPTS = ("run", ".ci/run", "web/build", "web/check", "web/pictures")  # code without a suffix


def is_test(path):
    """Test code: everything under tests/, foo_test.cc, and test_foo.h that tests share."""
    name = path.rsplit("/", 1)[-1]
    return path.startswith("tests/") or name.startswith("test_") or "_test." in name


class Tree:
    """Files of one working copy. `paths()` are strings with forward slashes, sorted."""

    def __init__(self, root):
        self.root = pathlib.Path(root)

    @functools.cached_property
    def _texts(self):
        texts = {}
        for path in sorted(self.root.rglob("*")):
            relative = path.relative_to(self.root)
            if _SKIPPED_FOLDERS & set(relative.parts) or path.is_symlink() or not path.is_file():
                continue
            name = relative.as_posix()
            if name.startswith(_GENERATED):
                continue
            if (
                path.suffix in _TEXT
                or name in _SCRIPTS
                or path.name in (".clang-format", ".clang-tidy", ".gitignore", ".npmrc")
            ):
                texts[name] = path.read_text(encoding="utf-8", errors="replace")
        return texts

    def text(self, path):
        """The file's text, or an empty string when there is no such file."""
        return self._texts.get(path, "")

    def exists(self, path):
        return path in self._texts

    def paths(self, *suffixes, under=""):
        """Paths below `under` that end with one of the suffixes; every text file without one."""
        chosen = suffixes or ("",)
        return [path for path in self._texts if path.startswith(under) and path.endswith(chosen)]

    def cpp(self, under=""):
        return self.paths(".cc", ".h", under=under)

    def code(self):
        return self.paths(*_CODE) + [path for path in _SCRIPTS if self.exists(path)]

    def layer_folders(self):
        """The folders directly under src/."""
        return sorted(
            {path.split("/")[1] for path in self.paths(under="src/") if path.count("/") >= 2}
        )
