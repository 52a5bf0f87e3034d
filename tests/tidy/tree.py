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
_CODE = (".cc", ".h", ".py", ".rs", ".sh", ".cmake")
_TEXT = _CODE + (".md", ".txt", ".json", ".toml", ".yml", ".yaml", ".in")


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
            if path.suffix in _TEXT or path.name in (
                "run",
                ".clang-format",
                ".clang-tidy",
                ".gitignore",
            ):
                texts[relative.as_posix()] = path.read_text(encoding="utf-8", errors="replace")
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
        return self.paths(*_CODE) + [path for path in ("run", ".ci/run") if self.exists(path)]

    def layer_folders(self):
        """The folders directly under src/."""
        return sorted(
            {path.split("/")[1] for path in self.paths(under="src/") if path.count("/") >= 2}
        )
