"""The layer rule: includes and CMake dependencies go down only.

The table is the diagram of ARCHITECTURE.md; a folder under src/ that is not in it is a finding too.
"""

import re

# Folder -> level. A folder may include folders of lower levels, never a sibling or one above.
LEVELS = {
    "base": 0,
    "tensor": 1,
    "text": 1,
    "device": 2,
    "checkpoint": 2,
    "kernels": 3,
    "comm": 3,
    "memory": 4,
    "model": 5,
    "sampling": 5,
    "sched": 5,
    "placement": 6,
    "engine": 7,
    "convert": 7,
    "hub": 7,
    "train": 7,
    "frontend": 7.5,
    "server": 8,
    "apps": 9,
}

# Arrows that point down and are still forbidden, or the only ones allowed.
ONLY = {
    "sched": {"base"},  # pure: can be simulated, fuzzed and replayed without a machine
}
NEVER = {
    "memory": {"kernels", "comm", "text"},  # moves bytes, never computes
    "placement": {"sampling", "text"},
}

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)
_LIBRARY = re.compile(r"\b(?:strata_library|target_link_libraries)\s*\(([^()]*)\)")


def _arrow_fault(source, target):
    """Why `source` may not use `target`, or None."""
    if target == source:
        return None
    if target not in LEVELS:
        return f"{target} is no layer"
    if source in ONLY and target not in ONLY[source]:
        return f"{source} may use only {', '.join(sorted(ONLY[source]))}"
    if target in NEVER.get(source, ()):
        return f"{source} never uses {target}"
    if LEVELS[target] == LEVELS[source]:
        return f"{source} and {target} are siblings"
    if LEVELS[target] > LEVELS[source]:
        return f"{target} stands above {source}"
    return None


def includes(tree, path):
    """(line, included path) of every quoted include."""
    text = tree.text(path)
    return [
        (text.count("\n", 0, match.start()) + 1, match.group(1))
        for match in _INCLUDE.finditer(text)
    ]


def check_includes(tree):
    """Every `#include "folder/file"` under src/ points to an existing layer below."""
    findings = [
        f"src/{folder}: not in the layer table"
        for folder in tree.layer_folders()
        if folder not in LEVELS
    ]
    for path in tree.cpp("src/"):
        source = path.split("/")[1]
        for line, target in includes(tree, path):
            if "/" not in target:
                findings.append(
                    f'{path}:{line}: "{target}" does not name its layer (write "{source}/{target}")'
                )
            elif source in LEVELS and (fault := _arrow_fault(source, target.split("/")[0])):
                findings.append(f'{path}:{line}: "{target}": {fault}')
    return findings


def _declared(tree, folder):
    """Layers that a folder's CMakeLists.txt links: those named as strata_<layer>."""
    text = re.sub(r"#[^\n]*", "", tree.text(f"src/{folder}/CMakeLists.txt"))
    declared = set()
    for match in _LIBRARY.finditer(text):
        words = match.group(1).split()
        if words and words[0].removeprefix("strata_") == folder:
            declared |= {
                word.removeprefix("strata_") for word in words[1:] if word.startswith("strata_")
            }
    return declared & set(LEVELS)


def _reachable(declared, folder):
    seen = set()
    waiting = [folder]
    while waiting:
        for target in declared.get(waiting.pop(), ()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def check_dependencies(tree):
    """CMake's DEPS obey the same table, and cover what the sources include."""
    declared = {folder: _declared(tree, folder) for folder in tree.layer_folders()}
    findings = []
    for folder, targets in declared.items():
        for target in sorted(targets):
            if folder in LEVELS and (fault := _arrow_fault(folder, target)):
                findings.append(f"src/{folder}/CMakeLists.txt: DEPS strata_{target}: {fault}")
        if folder == "apps" or not tree.exists(f"src/{folder}/CMakeLists.txt"):
            continue
        reachable = _reachable(declared, folder) | {folder}
        for path in tree.cpp(f"src/{folder}/"):
            if path.endswith("_test.cc"):
                continue
            for line, target in includes(tree, path):
                layer = target.split("/")[0]
                if layer in LEVELS and layer not in reachable:
                    findings.append(
                        f"{path}:{line}: includes {layer}, which DEPS of strata_{folder} lacks"
                    )
    return findings
