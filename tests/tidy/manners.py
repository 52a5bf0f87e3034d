"""Rules about lines and names: what files may not hold, how they begin, what is called what."""

import re

import scan
from tree import is_test

MAX_COLUMNS = 100
MAX_SCRIPT_COLUMNS = 132  # Python, Rust, CMake, TypeScript: no formatter of ours breaks their lines
MAX_HEADER_LINES = 14
MAX_README_LINES = 40


EVERYWHERE, PRODUCT, TESTS = "everywhere", "product", "tests"


class Ban:
    """A pattern that may stand only in the named places (path prefixes), each with its reason."""

    def __init__(self, what, pattern, scope=EVERYWHERE, allowed=()):
        self.what = what
        self.pattern = re.compile(pattern)
        self.scope = scope
        self.allowed = dict(allowed)  # path prefix -> why it may

    def concerns(self, path):
        if path.startswith(tuple(self.allowed)):
            return False
        return self.scope == EVERYWHERE or (self.scope == TESTS) == is_test(path)


# Searched in C++ without comments and literals.
BANS = [
    Ban("throws (an expected failure is a Result)", r"\bthrow\b", PRODUCT),
    Ban(
        "reads the environment outside base",
        r"\b(?:secure_)?getenv\b",
        PRODUCT,
        {"src/base/": "the one door to the environment"},
    ),
    Ban(
        "allocates by hand (use a container, or the memory layer's huge pages)",
        r"\b(?:malloc|calloc|realloc|posix_memalign|aligned_alloc)\s*\(|\bnew\s+[\w:]"
        r"|\bdelete\s+\w",
        PRODUCT,
        {
            "src/memory/": "owns the big allocations",
            "src/device/": "allocates for its memory space",
            "src/apps/probes.cc": "measures memory of its own, aligned for direct reads",
        },
    ),
    Ban(
        "opens files past Env",
        r"\b(?:fopen|[io]?fstream|freopen)\b",
        PRODUCT,
        {"src/base/": "the one door to files"},
    ),
    Ban(
        "x86 code outside kernels",
        r"\b_mm\d*_\w+|\b__m(?:64|128|256|512)\w*|\b__builtin_ia32_\w+|\b__(?:get_)?cpuid\w*"
        r"|\b_tile_\w+|\b(?:__)?asm(?:__)?\b",
        EVERYWHERE,
        {
            "src/kernels/": "its own units",
            "src/base/compute_pool.cc": "the spin hint, one per architecture",
        },
    ),
    Ban(
        "calls a KV block a page",
        r"(?i)\b(?:kv_?pages?|page_?tables?|num_?pages|page_?ids?|free_?pages)\b",
    ),
    Ban(
        "returns out of a braced list (GCC 12 leaks what the list already holds)",
        r"\{\s*\"[^\"]*\",\s*TRY\(",
        PRODUCT,
    ),
    Ban("measures time in a test", r"\b(?:steady|system|high_resolution)_clock::now\b", TESTS),
    Ban(
        "pulls in exceptions of the standard library",
        r"\bstd::(?:stoi|stol|stoul|stoll|stoull|stof|stod)\b",
        PRODUCT,
    ),
]

# Searched in include lines.
INCLUDE_BANS = [
    Ban("iostream", r"<iostream>"),
    Ban(
        "x86 intrinsics outside kernels",
        r"<(?:\w*intrin|cpuid)\.h>",
        EVERYWHERE,
        {"src/kernels/": "its own units"},
    ),
    Ban("libstdc++ internals", r"<(?:bits/|ext/)"),
]

# Searched in TypeScript.
WEB_BANS = [
    Ban(
        "writes text as markup or code (draw elements)",
        r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|eval)\b",
        PRODUCT,
    ),
    Ban(
        "asks somebody else than the page's own server",
        r"[a-z]+://\w",
        PRODUCT,
        {"web/vite_config.ts": "where the server is while the page is written"},
    ),
    Ban("switches the type checker off", r"(?::|\bas) any\b|@ts-\w+"),
]

# Searched in every text file. Written so that this file does not match itself.
TEXT_BANS = [
    Ban("a note to come back", r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"),
    Ban("a path of one machine", r"(?<![\w.])/(?:work|farm|root)/|/home/(?!you\b)\w+"),
    Ban("a registry's host", r"\bindex-" r"url\b|" r'"resolved": *"https?://'),
]


def _line_of(text, position):
    return text.count("\n", 0, position) + 1


def _search(tree, bans, paths, prepare):
    findings = []
    for path in paths:
        text = prepare(tree.text(path))
        for ban in bans:
            if not ban.concerns(path):
                continue
            for match in ban.pattern.finditer(text):
                where = f"{path}:{_line_of(text, match.start())}"
                findings.append(f"{where}: {ban.what}: {match.group().strip()}")
    return findings


def _prepared(text):
    """C++ text for the bans; `unique_ptr<T>(new T` is a private constructor, owned at once."""
    return re.sub(
        r"\b(?:unique|shared)_ptr<[\w:]+>\s*\w*\(\s*new\b", "owned(", scan.strip_cpp(text)
    )


def check_bans(tree):
    """Banned calls and names in C++."""
    return _search(tree, BANS, tree.cpp(), _prepared)


def check_web_bans(tree):
    """Banned calls and names in TypeScript."""
    return _search(tree, WEB_BANS, tree.paths(".ts", ".tsx"), str)


def check_includes(tree):
    """Banned headers."""

    def include_lines(text):
        return "\n".join(
            line if re.match(r"\s*#\s*include", line) else "" for line in text.split("\n")
        )

    return _search(tree, INCLUDE_BANS, tree.cpp(), include_lines)


def check_words(tree):
    """Words that no file may hold."""
    return _search(tree, TEXT_BANS, tree.paths(), str)


def check_columns(tree):
    """No line of code wider than the page, but for a long address and the data of a raw literal."""
    findings = []
    for path in tree.code() + tree.paths("CMakeLists.txt"):
        is_cpp = path.endswith((".cc", ".h"))
        narrow = is_cpp or path.endswith(".sh") or "." not in path.rsplit("/", 1)[-1]
        limit = MAX_COLUMNS if narrow else MAX_SCRIPT_COLUMNS
        text = tree.text(path)
        for number, line in enumerate((scan.strip_raw(text) if is_cpp else text).split("\n"), 1):
            if len(line) > limit and "://" not in line:
                findings.append(f"{path}:{number}: {len(line)} columns, at most {limit}")
    return findings


def _header_lines(path, text):
    """How many lines of comment the file begins with."""
    lines = text.split("\n")
    if lines[0].startswith("#!"):
        lines = lines[1:]
    if path.endswith(".py"):
        match = re.match(r'\s*"""(.*?)"""', "\n".join(lines), re.DOTALL)
        return len(match.group(1).strip().split("\n")) if match else 0
    if path.endswith(".css"):
        match = re.match(r"/\*.*?\*/", "\n".join(lines), re.DOTALL)
        return match.group().count("\n") + 1 if match else 0
    marks = "//" if path.endswith((".cc", ".h", ".rs", ".ts", ".tsx")) else "#"
    count = 0
    for line in lines:
        if not line.startswith(marks):
            break
        count += not line.startswith("# shellcheck")
    return count


def check_headers(tree):
    """A file starts with what it is for."""
    findings = []
    for path in tree.code():
        count = _header_lines(path, tree.text(path))
        if count == 0:
            findings.append(f"{path}: begins without a comment that says its role")
        elif count > MAX_HEADER_LINES:
            findings.append(
                f"{path}: begins with {count} lines of comment, at most {MAX_HEADER_LINES}"
            )
    for path in tree.paths(".h"):
        if not re.search(r"^#pragma once$", tree.text(path), re.MULTILINE):
            findings.append(f"{path}: lacks #pragma once")
    return findings


def check_names(tree):
    """snake_case file names."""
    findings = []
    for path in tree.code():
        name = path.rsplit("/", 1)[-1]
        if not re.fullmatch(r"[a-z0-9_]+(?:\.[a-z0-9]+)?", name) and not path.endswith(".cmake"):
            findings.append(f"{path}: not snake_case")
    return findings


def check_orphans(tree):
    """A CMakeLists.txt at or above every C++ source names it: an unbuilt test never fails."""
    findings = []
    for path in tree.paths(".cc"):
        parts = path.split("/")
        lists = ["/".join(parts[:depth] + ["CMakeLists.txt"]) for depth in range(1, len(parts))]
        stem = parts[-1].removesuffix(".cc")
        if not any(re.search(rf"\b{re.escape(stem)}\b", tree.text(name)) for name in lists):
            findings.append(f"{path}: no CMakeLists.txt builds it")
    return findings


def check_folder_readmes(tree):
    """Every layer folder explains itself on one screen."""
    findings = []
    for folder in tree.layer_folders():
        path = f"src/{folder}/README.md"
        lines = tree.text(path).count("\n")
        if not tree.exists(path):
            findings.append(f"{path} is missing")
        elif lines > MAX_README_LINES:
            findings.append(f"{path}: {lines} lines, at most {MAX_README_LINES}")
    return findings
