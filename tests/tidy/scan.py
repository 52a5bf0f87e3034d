"""Finds functions in C++, Rust and Python source: their extent, parameters and nesting.

The layer under the size rules. No compiler and no ctags: comments, strings and preprocessor lines
are blanked, then braces are matched. Macros are seen as written, not as they expand.
"""

import ast
import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Function:
    """One definition with a body; lambdas and local classes belong to the function around them."""

    name: str
    first_line: int
    last_line: int
    parameters: int
    nesting: int

    @property
    def lines(self):
        return self.last_line - self.first_line + 1


def _blanked(match):
    """The match without its content, on the same lines; a literal stays one token."""
    text = match.group()
    if match.lastgroup in ("number", "word"):
        return text
    newlines = "\n" * text.count("\n")
    return (" " if match.lastgroup == "comment" else '""') + newlines


_CPP_TOKEN = re.compile(
    r"""(?P<raw>\b(?:u8|u|U|L)?R"(?P<fence>[^()\\\s]{0,16})\(.*?\)(?P=fence)")
      |(?P<comment>//(?:[^\n\\]|\\.)*|/\*.*?\*/)
      |(?P<string>"(?:[^"\\\n]|\\.)*")
      |(?P<number>\b\.?\d(?:'?[\w.]|(?<=[eEpP])[+-])*)
      |(?P<char>'(?:[^'\\\n]|\\[^\n]+?)')
      |(?P<word>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)
_RUST_TOKEN = re.compile(
    r"""(?P<raw>\bb?r(?P<fence>\#*)".*?"(?P=fence))
      |(?P<comment>//[^\n]*|/\*.*?\*/)
      |(?P<string>"(?:[^"\\]|\\.)*")
      |(?P<char>'(?:[^'\\\n]|\\[^'\n]+|\\')')
      |(?P<word>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)


def strip_cpp(text):
    """C++ text without comments and literals; lines stay where they are."""
    return _CPP_TOKEN.sub(_blanked, text)


def strip_raw(text):
    """C++ text without the content of raw string literals; lines stay where they are."""

    def blanked(match):
        return _blanked(match) if match.lastgroup == "raw" else match.group()

    return _CPP_TOKEN.sub(blanked, text)


def strip_rust(text):
    """Rust text without comments and literals; lines stay where they are."""
    return _RUST_TOKEN.sub(_blanked, text)


def _without_preprocessor(text):
    """Blanks directives and every branch but the first, so that braces balance."""
    out = []
    branches = []  # per open #if: is this a later branch?
    continued = False
    for line in text.split("\n"):
        directive = re.match(r"\s*#\s*(\w+)", line)
        if not continued and directive:
            word = directive.group(1)
            if word in ("if", "ifdef", "ifndef"):
                branches.append(False)
            elif word in ("else", "elif") and branches:
                branches[-1] = True
            elif word == "endif" and branches:
                branches.pop()
        hidden = continued or directive or any(branches)
        continued = bool(line.endswith("\\") and (continued or directive))
        out.append("" if hidden else line)
    return "\n".join(out)


_OPEN = {"(": ")", "[": "]", "{": "}"}


def _closing(text, start):
    """Index of the bracket that closes the one at `start`; the text's end when none does."""
    stack = []
    for index in range(start, len(text)):
        char = text[index]
        if char in _OPEN:
            stack.append(_OPEN[char])
        elif stack and char == stack[-1]:
            stack.pop()
            if not stack:
                return index
    return len(text) - 1


_QUALIFIER_CALL = re.compile(
    r"\b(?:alignas|__attribute__|decltype|noexcept|requires|explicit)\s*(?=\()"
)


def _simplified(head):
    """A head without `noexcept(...)` and the like: its first paren opens the parameters."""
    while match := _QUALIFIER_CALL.search(head):
        paren = head.index("(", match.start())
        head = head[: match.start()] + " " + head[_closing(head, paren) + 1 :]
    return re.sub(r"\[\[.*?\]\]", " ", head, flags=re.DOTALL)


def _parameter_count(inside):
    """How many parameters: commas at depth zero of all brackets, angle brackets included."""
    if inside.strip() in ("", "void"):
        return 0
    depth = 0
    count = 1
    for index, char in enumerate(inside):
        if char in "([{" or char == "<":
            depth += 1
        elif char in ")]}" or (char == ">" and inside[index - 1] != "-"):
            depth -= 1
        elif char == "," and depth == 0:
            count += 1
    return count


_KIND_WORDS = re.compile(r"^(?:inline\s+)?namespace\b|^extern\s*\"\"\s*$")
_TYPE_WORDS = re.compile(r"\b(?:class|struct|union)\b")
_BODY_MAY_FOLLOW = {"const", "noexcept", "override", "final", "mutable", "try", "volatile"}


def _parameter_list(head):
    """(name, inside of the parens, rest) of a simplified head, or None without a parameter list."""
    lambda_value = re.search(r"(\w+)\s*=\s*\[", head)
    if lambda_value:
        head = head[lambda_value.end() - 1 :]
        close = _closing(head, 0)
        head = "lambda" + head[close + 1 :]
        name_hint = lambda_value.group(1)
    else:
        name_hint = None
    operator_call = re.search(r"\boperator\s*\(\s*\)", head)
    paren = head.find("(", operator_call.end() if operator_call else 0)
    if paren < 0:
        return (name_hint, "", "") if name_hint else None
    before = head[:paren].rstrip()
    if not lambda_value and re.search(r"(?<![=!<>])=(?!=)", before) and "operator" not in before:
        return None
    name = name_hint or (re.findall(r"operator\s*\S+|~?[\w:]+", before) or ["?"])[-1]
    close = _closing(head, paren)
    return name, head[paren + 1 : close], head[close + 1 :]


def _is_member_initializer(rest):
    """True for the brace of `b_{...}` in a constructor's initialiser list, which is no body yet."""
    if not re.search(r"(?<!:):(?!:)", rest):
        return False
    last = re.search(r"(\w+|>|\S)\s*$", rest)
    word = last.group(1) if last else ""
    return (word[:1].isalpha() or word[:1] == "_" or word == ">") and word not in _BODY_MAY_FOLLOW


_BLOCK_WORD = re.compile(r"\b(?:if|for|while|switch|catch|constexpr|else|do|try)\s*$")


def _opens_block(before):
    """Whether a brace after this text opens a control block: no initialiser, lambda or local class."""
    if not before.endswith(")"):
        return _BLOCK_WORD.search(before) is not None
    depth = 0
    for index in range(len(before) - 1, -1, -1):
        depth += (before[index] == ")") - (before[index] == "(")
        if depth == 0:
            return _BLOCK_WORD.search(before[:index]) is not None
    return False


def _nesting(body):
    """Deepest stack of control blocks in a function body."""
    stack = []
    deepest = 0
    for match in re.finditer(r"[{}]", body):
        if match.group() == "{":
            stack.append(_opens_block(body[: match.start()].rstrip()))
            deepest = max(deepest, sum(stack))
        elif stack:
            stack.pop()
    return deepest


def cpp_functions(text):
    """Every function definition of a C++ file."""
    text = _without_preprocessor(strip_cpp(text))
    functions = []
    head_start = 0
    index = 0
    while index < len(text):
        char = text[index]
        if char in ";}":
            head_start = index + 1
        elif char == "(" or char == "[":
            index = _closing(text, index)
        elif char == "{":
            index, head_start = _at_brace(text, head_start, index, functions)
        index += 1
    return functions


def _at_brace(text, head_start, brace, functions):
    """What a brace outside functions opens: returns where to go on and where a head starts."""
    head = re.sub(
        r"^(?:\s*(?:public|private|protected)\s*:(?!:))+",
        lambda m: " " * len(m.group()),
        text[head_start:brace],
    )
    simple = _simplified(head).strip()
    if _KIND_WORDS.search(simple):
        return brace, brace + 1
    parameters = _parameter_list(re.sub(r"^template\s*<.*?>\s*(?=\w)", "", simple, flags=re.DOTALL))
    if parameters is None:
        if _TYPE_WORDS.search(simple) and not re.search(r"\benum\b", simple):
            return brace, brace + 1
        return _closing(text, brace), head_start
    name, inside, rest = parameters
    close = _closing(text, brace)
    if _is_member_initializer(rest):
        return close, head_start
    begin = head_start + len(head) - len(head.lstrip())
    functions.append(
        Function(
            name=name,
            first_line=text.count("\n", 0, begin) + 1,
            last_line=text.count("\n", 0, close) + 1,
            parameters=_parameter_count(inside),
            nesting=_nesting(text[brace + 1 : close]),
        )
    )
    return close, close + 1


def rust_functions(text):
    """Every `fn` with a body of a Rust file."""
    text = strip_rust(text)
    functions = []
    for match in re.finditer(r"\bfn\s+(\w+)", text):
        paren = text.index("(", match.end())
        after = _closing(text, paren) + 1
        body = re.search(r"[;{]", text[after:])
        if body is None or body.group() == ";":
            continue
        brace = after + body.start()
        close = _closing(text, brace)
        functions.append(
            Function(
                name=match.group(1),
                first_line=text.count("\n", 0, match.start()) + 1,
                last_line=text.count("\n", 0, close) + 1,
                parameters=_parameter_count(text[paren + 1 : after - 1].rstrip().rstrip(",")),
                nesting=0,
            )
        )
    return functions


def python_functions(text):
    """Every function of a Python file."""
    functions = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            count = len(node.args.posonlyargs) + len(
                node.args.args
            )  # a named-only one is a field already
            functions.append(Function(node.name, node.lineno, node.end_lineno, count, 0))
    return functions


_TS_HEAD = re.compile(
    r"^(?P<indent> *)(?:export )?(?:async )?(?:function\*? |(?:get )?\*?(?=#?\w+[<(]))"
    r"(?P<name>#?\w+)(?P<type><[^(]*>)?\((?P<inside>[^()]*(?:\([^()]*\)[^()]*)*)\)[^;\n]*\{$",
    re.MULTILINE,
)


def typescript_functions(text):
    """Functions and methods with a body of a TypeScript file; arrow functions count to the one around.

    Relies on the layout: a body ends with the first brace that stands as far left as its head.
    """
    functions = []
    for match in _TS_HEAD.finditer(text):
        if match["name"] in ("if", "for", "while", "switch", "catch"):
            continue
        close = re.compile(rf"^{match['indent']}\}}", re.MULTILINE).search(text, match.end())
        end = close.start() if close else len(text)
        functions.append(
            Function(
                name=match["name"],
                first_line=text.count("\n", 0, match.start()) + 1,
                last_line=text.count("\n", 0, end) + 1,
                parameters=_parameter_count(re.sub(r"\{[^}]*\}", "x", match["inside"]).rstrip().rstrip(",")),
                nesting=0,
            )
        )
    return functions


def functions_of(path, text):
    """The functions of a file by its suffix; none for other languages."""
    if path.endswith((".cc", ".h")):
        return cpp_functions(text)
    if path.endswith(".rs"):
        return rust_functions(text)
    if path.endswith(".py"):
        return python_functions(text)
    if path.endswith((".ts", ".tsx")):
        return typescript_functions(text)
    return []
