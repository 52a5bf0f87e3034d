"""Size budgets of files and functions, and the table that shows how far the tree is from them."""

import statistics

import scan
from tree import is_test

MAX_FILE_LINES = 500
MAX_KERNEL_FILE_LINES = 1200
LONG_FUNCTION_LINES = 70
MAX_LONG_SHARE = 0.02
MAX_FUNCTION_LINES = 100
MAX_KERNEL_FUNCTION_LINES = 150
MAX_MEDIAN_FUNCTION_LINES = 15
MAX_PARAMETERS = 6
MAX_NESTING = 4
MAX_KERNEL_NESTING = 6  # a blocked product alone is five loops
MAX_TEST_NESTING = 5  # a random walk is a loop of cases, each with loops
MAX_FILES_IN_FOLDER = 40

_MEASURED = (".cc", ".h", ".py", ".rs", ".ts", ".tsx")


def is_kernel(path):
    return path.startswith("src/kernels/")


def functions(tree):
    """path -> its functions, for every language that is measured; computed once per tree."""
    if not hasattr(tree, "measured_functions"):
        tree.measured_functions = {
            path: scan.functions_of(path, tree.text(path)) for path in tree.paths(*_MEASURED)
        }
    return tree.measured_functions


def _line_count(tree, path):
    return tree.text(path).count("\n")


def check_files(tree):
    """No file over its budget; no folder of src/ with more files than a reader can hold."""
    findings = []
    for path in tree.code() + tree.paths("CMakeLists.txt"):
        limit = MAX_KERNEL_FILE_LINES if is_kernel(path) else MAX_FILE_LINES
        lines = _line_count(tree, path)
        if lines > limit:
            findings.append(f"{path}: {lines} lines, at most {limit} (is a noun missing?)")
    folders = {}
    for path in tree.cpp("src/"):
        if not is_test(path):
            folders.setdefault(path.rsplit("/", 1)[0], []).append(path)
    for folder, paths in folders.items():
        if len(paths) > MAX_FILES_IN_FOLDER:
            findings.append(f"{folder}: {len(paths)} sources, at most {MAX_FILES_IN_FOLDER}")
    return findings


def check_functions(tree):
    """Hard limits of each function: lines, parameters, nesting."""
    findings = []
    for path, found in functions(tree).items():
        max_lines = MAX_KERNEL_FUNCTION_LINES if is_kernel(path) else MAX_FUNCTION_LINES
        max_nesting = MAX_TEST_NESTING if is_test(path) else MAX_NESTING
        max_nesting = MAX_KERNEL_NESTING if is_kernel(path) else max_nesting
        for function in found:
            where = f"{path}:{function.first_line}: {function.name}"
            if function.lines > max_lines:
                findings.append(f"{where}: {function.lines} lines, at most {max_lines}")
            if function.parameters > MAX_PARAMETERS:
                findings.append(
                    f"{where}: {function.parameters} parameters, at most {MAX_PARAMETERS}"
                )
            if function.nesting > max_nesting:
                findings.append(f"{where}: {function.nesting} nested blocks, at most {max_nesting}")
    return findings


def check_shape(tree):
    """The tail and the middle of all functions outside kernels."""
    lines = [
        f.lines for path, found in functions(tree).items() if not is_kernel(path) for f in found
    ]
    if not lines:
        return []
    findings = []
    share = sum(count > LONG_FUNCTION_LINES for count in lines) / len(lines)
    if share >= MAX_LONG_SHARE:
        findings.append(
            f"{share:.1%} of functions are over {LONG_FUNCTION_LINES} lines, "
            f"less than {MAX_LONG_SHARE:.0%} allowed"
        )
    if statistics.median(lines) >= MAX_MEDIAN_FUNCTION_LINES:
        findings.append(
            f"the median function has {statistics.median(lines)} lines, "
            f"less than {MAX_MEDIAN_FUNCTION_LINES} allowed"
        )
    return findings


def _quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _share_over(lines, limit):
    return sum(count > limit for count in lines) / len(lines)


def _row(tree, name, paths):
    files = [_line_count(tree, path) for path in paths]
    found = [(f.lines, f"{f.name} ({path})") for path in paths for f in functions(tree)[path]]
    lines = [count for count, _ in found] or [0]
    longest = max(found, default=(0, "-"))
    return (
        f"{name:<14}{len(files):>6}{sum(files):>8}{_quantile(files, 0.9):>9}{max(files):>9}"
        f"{len(found):>11}"
        f"{statistics.median(lines):>8.0f}{_quantile(lines, 0.99):>6}"
        f"{_share_over(lines, 70):>8.1%}{_share_over(lines, 100):>8.1%}"
        f"  {longest[0]} {longest[1]}"
    )


def table(tree):
    """The size table as text: one row per folder, then totals."""
    groups = {}
    for path in functions(tree):
        parts = path.split("/")
        name = "/".join(parts[:2]) if parts[0] == "src" and len(parts) > 2 else parts[0]
        groups.setdefault(name, []).append(path)
    every = list(functions(tree))
    sets = sorted(groups.items()) + [
        ("tests only", [path for path in every if is_test(path)]),
        ("no kernels", [path for path in every if not is_kernel(path)]),
        ("all", every),
    ]
    heading = (
        f"{'folder':<14}{'files':>6}{'lines':>8}{'p90 file':>9}{'biggest':>9}{'functions':>11}"
        f"{'median':>8}{'p99':>6}{'> 70':>8}{'> 100':>8}  longest function"
    )
    return "\n".join([heading] + [_row(tree, name, paths) for name, paths in sets if paths])
