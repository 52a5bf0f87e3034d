"""Documents that must exist and agree with the code: commands, exit codes, links, packages."""

import re

OWED = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/exit-codes.md",
    "run",
    ".ci/run",
)


def check_owed(tree):
    """The papers exist."""
    return [f"{path} is missing" for path in OWED if not tree.exists(path)]


def run_commands(tree):
    """Commands that ./run knows: the words of its last `case`."""
    cases = re.findall(
        r"^case \$command in\n(.*?)^esac$", tree.text("run"), re.MULTILINE | re.DOTALL
    )
    if not cases:
        return set()
    arms = re.findall(r"^  ([a-z| -]+)\)", cases[-1], re.MULTILINE)
    return {
        word for arm in arms for word in re.split(r"[| ]+", arm) if re.fullmatch(r"[a-z]+", word)
    }


def check_commands(tree):
    """Every `./run WORD` in a document exists, and ./run help names every command."""
    known = run_commands(tree)
    findings = []
    for path in tree.paths(".md"):
        text = tree.text(path)
        for match in re.finditer(r"\./run ([a-z]+)", text):
            if match.group(1) not in known:
                line = text.count("\n", 0, match.start()) + 1
                findings.append(f"{path}:{line}: ./run {match.group(1)} does not exist")
    usage = re.search(r"<<'TEXT'\n(.*?)^TEXT$", tree.text("run"), re.MULTILINE | re.DOTALL)
    shown = set(re.findall(r"^  ([a-z]+)", usage.group(1), re.MULTILINE)) if usage else set()
    findings += [f"run: help does not name '{word}'" for word in sorted(known - shown)]
    return findings


def code_table(tree):
    """name -> exit code, from code_name() and exit_code() of src/base/status.cc."""
    text = tree.text("src/base/status.cc")
    names = dict(re.findall(r'case Code::(k\w+):\s+return "(\w+)"', text))
    codes = dict(re.findall(r"case Code::(k\w+):\s+return (\d+)", text))
    return {name: int(codes[key]) for key, name in names.items() if key in codes}


def check_exit_codes(tree):
    """docs/exit-codes.md lists exactly the codes of src/base/status.cc."""
    table = code_table(tree)
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", tree.text("docs/exit-codes.md"), re.MULTILINE)
    documented = {name: int(code) for code, name in rows}
    findings = []
    if not table:
        findings.append("src/base/status.cc: no table of exit codes found")
    for name in sorted(table.keys() | documented.keys()):
        if table.get(name) != documented.get(name):
            findings.append(
                f"docs/exit-codes.md: {name} is {documented.get(name)}, "
                f"the program exits with {table.get(name)}"
            )
    return findings


def check_links(tree):
    """Relative links of documents point to files or folders that exist."""
    findings = []
    for path in tree.paths(".md"):
        folder = tree.root / path.rsplit("/", 1)[0] if "/" in path else tree.root
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", tree.text(path)):
            if "://" not in target and not (folder / target).exists():
                findings.append(f"{path}: link to {target}, which does not exist")
    return findings


# Debian package -> what shows in sources or CMake files that the code uses it.
LIBRARIES = {
    "libbenchmark-dev": r"<benchmark/benchmark\.h>",
    "libboost1.81-dev": r"<boost/",
    "libcli11-dev": r"<CLI/",
    "libcurl4-openssl-dev": r"<curl/",
    "libfmt-dev": r"<fmt/",
    "libgmock-dev": r"<gmock/",
    "libgtest-dev": r"<gtest/",
    "libhwloc-dev": r"<hwloc\.h>",
    "libnuma-dev": r"<numa\.h>",
    "libspdlog-dev": r"<spdlog/",
    "libssl-dev": r"<openssl/",
    "liburing-dev": r"<liburing\.h>",
    "libxxhash-dev": r"<xxhash\.h>",
    "libyaml-cpp-dev": r"<yaml-cpp/",
    "nlohmann-json3-dev": r"<nlohmann/",
    "pkg-config": r"\bpkg_check_modules\b|\bPkgConfig\b",
    "python3-jinja2": r"\bimport jinja2\b",
}


def check_packages(tree):
    """packages.txt: known jobs, one row per package with a reason; all libraries in use, no others."""
    findings = []
    listed = set()
    for line in tree.text("tools/setup/packages.txt").split("\n"):
        if not line or line.startswith("#"):
            continue
        words = line.split(None, 2)
        if len(words) < 3 or words[0] not in ("build", "test", "format", "clients", "nightly"):
            findings.append(f"tools/setup/packages.txt: not 'job package reason': {line}")
        elif words[1] in listed:
            findings.append(f"tools/setup/packages.txt: {words[1]} stands twice")
        listed.update(words[1:2])
    code = "\n".join(
        tree.text(path)
        for path in tree.paths(".cc", ".h", ".py", ".cmake", "CMakeLists.txt")
        if path != "tests/tidy/papers.py"
    )
    for package, trace in LIBRARIES.items():
        used = re.search(trace, code) is not None
        if used != (package in listed):
            fault = "is used, but not listed" if used else "is listed, but nothing uses it"
            findings.append(f"tools/setup/packages.txt: {package} {fault}")
    return findings
