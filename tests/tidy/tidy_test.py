"""Shows every tidy rule a planted violation and the nearest correct thing; tests the scanner."""

import pathlib
import sys
import tempfile
import textwrap
import unittest

sys.dont_write_bytecode = True

import layers
import manners
import papers
import scan
import sizes
import tree

RUN_SCRIPT = """\
#!/bin/sh
# Jobs.
help() {
  cat <<'TEXT'
  chat   talks
  test   tests
TEXT
}
case $command in
  chat | test) "$command" ;;
  *) exit 64 ;;
esac
"""


class Planted(unittest.TestCase):
    """Rules on small trees."""

    def findings(self, rule, files):
        """What `rule` says about a tree of these files (path -> text)."""
        with tempfile.TemporaryDirectory() as folder:
            for path, text in files.items():
                place = pathlib.Path(folder, path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text)
            return rule(tree.Tree(folder))

    def assert_flags(self, rule, bad, good):
        """`bad` and `good` are file sets; only the first has findings, exactly one."""
        found = self.findings(rule, bad)
        self.assertEqual(len(found), 1, found)
        self.assertEqual(self.findings(rule, good), [])

    def assert_flags_line(self, rule, path, bad, good):
        self.assert_flags(rule, {path: bad + "\n"}, {path: good + "\n"})

    def test_an_include_that_points_up(self):
        self.assert_flags_line(
            layers.check_includes,
            "src/tensor/a.cc",
            '#include "model/spec.h"',
            '#include "base/status.h"',
        )

    def test_an_include_of_a_sibling(self):
        self.assert_flags_line(
            layers.check_includes,
            "src/model/a.cc",
            '# include "sampling/sampler.h"',
            '#include "kernels/ops.h"',
        )

    def test_sched_is_pure_and_memory_never_computes(self):
        self.assert_flags_line(
            layers.check_includes,
            "src/sched/a.h",
            '#include "tensor/dtype.h"',
            '#include "base/check.h"',
        )
        self.assert_flags_line(
            layers.check_includes,
            "src/memory/a.h",
            '#include "kernels/ops.h"',
            '#include "device/device.h"',
        )

    def test_an_unknown_folder_and_a_bare_include(self):
        self.assert_flags(layers.check_includes, {"src/magic/a.h": "\n"}, {"src/hub/a.h": "\n"})
        self.assert_flags_line(
            layers.check_includes, "src/model/a.cc", '#include "spec.h"', '#include "model/spec.h"'
        )
        self.assert_flags_line(
            layers.check_includes, "src/model/a.cc", '#include "magic/a.h"', "#include <vector>"
        )

    def test_cmake_dependencies_obey_the_table(self):
        self.assert_flags(
            layers.check_dependencies,
            {
                "src/base/CMakeLists.txt": "strata_library(base SOURCES a.cc DEPS strata_tensor)",
                "src/base/a.cc": "",
            },
            {
                "src/tensor/CMakeLists.txt": "strata_library(tensor SOURCES a.cc DEPS strata_base)",
                "src/tensor/a.cc": "",
            },
        )

    def test_cmake_dependencies_cover_the_includes(self):
        source = {"src/model/a.cc": '#include "tensor/dtype.h"\n'}
        self.assert_flags(
            layers.check_dependencies,
            {
                **source,
                "src/model/CMakeLists.txt": "strata_library(model SOURCES a.cc DEPS strata_base)",
            },
            {
                **source,
                "src/model/CMakeLists.txt": "strata_library(model DEPS strata_kernels)",
                "src/kernels/CMakeLists.txt": "strata_library(kernels DEPS strata_tensor)",
                "src/kernels/b.cc": "",
            },
        )

    def test_long_files(self):
        self.assert_flags_line(sizes.check_files, "src/model/a.cc", "\n" * 500, "\n" * 499)
        self.assert_flags_line(sizes.check_files, "src/kernels/a.cc", "\n" * 1200, "\n" * 1199)

    def test_crowded_folders(self):
        crowd = {f"src/model/f{i}.h": "" for i in range(41)}
        self.assert_flags(
            sizes.check_files, crowd, {**{f"src/model/f{i}.h": "" for i in range(40)}}
        )

    def test_long_functions(self):
        def body(lines):
            return "void f() {\n" + "  g();\n" * (lines - 2) + "}"

        self.assert_flags_line(sizes.check_functions, "src/model/a.cc", body(101), body(100))
        self.assert_flags_line(sizes.check_functions, "src/kernels/a.cc", body(151), body(150))

    def test_many_parameters_and_deep_nesting(self):
        self.assert_flags_line(
            sizes.check_functions,
            "src/model/a.cc",
            "void f(int a, int b, int c, int d, int e, int g, int h) {}",
            "void f(std::map<int, int> a, int b, int c, int d, int e, fn<void(int, int)> g) {}",
        )

        def nested(depth):
            return "void f() {\n" + "if (a) {\n" * depth + "}\n" * depth + "}"

        self.assert_flags_line(sizes.check_functions, "src/model/a.cc", nested(5), nested(4))
        self.assert_flags_line(sizes.check_functions, "src/kernels/a.cc", nested(7), nested(6))

    def test_the_tail_and_the_middle(self):
        def functions(longs, shorts, length=71):
            return (
                "void f() {\n" + "g();\n" * (length - 2) + "}\n"
            ) * longs + "void s() {}\n" * shorts

        self.assert_flags_line(
            sizes.check_shape, "src/model/a.cc", functions(1, 49), functions(1, 50)
        )
        self.assert_flags_line(
            sizes.check_shape, "src/model/a.cc", functions(9, 0, 15), functions(9, 0, 14)
        )
        self.assertEqual(
            self.findings(sizes.check_shape, {"src/kernels/a.cc": functions(9, 0)}), []
        )

    def test_wide_lines(self):
        self.assert_flags_line(manners.check_columns, "src/model/a.cc", "x" * 101, "x" * 100)
        self.assert_flags_line(
            manners.check_columns, "src/model/a.h", "é" * 101, "// https://" + "x" * 101
        )
        self.assert_flags_line(manners.check_columns, "run", "x" * 101, "x" * 100)
        self.assert_flags_line(manners.check_columns, "tools/a.py", "x" * 133, "x" * 132)
        wide = "x" * 101
        self.assert_flags_line(manners.check_columns, "src/model/a.cc", f'"{wide}"', f'R"({wide})"')
        self.assert_flags_line(
            manners.check_columns, "src/model/CMakeLists.txt", "x" * 133, "x" * 132
        )

    def test_files_without_a_role(self):
        self.assert_flags_line(
            manners.check_headers, "src/model/a.cc", "#include <vector>", "// Does it."
        )
        self.assert_flags_line(manners.check_headers, "tools/a.py", "import os", '"""Does it."""')
        self.assert_flags_line(
            manners.check_headers, "tools/a.sh", "#!/bin/sh\nset -eu", "#!/bin/sh\n# Does it."
        )
        self.assert_flags_line(
            manners.check_headers, "src/model/a.h", "// Does it.", "// Does it.\n#pragma once"
        )
        self.assert_flags_line(
            manners.check_headers, "src/model/a.cc", "// Long.\n" * 15, "// Long.\n" * 14
        )

    def test_the_web_page_is_held_to_the_same(self):
        self.assert_flags_line(manners.check_headers, "web/src/a.tsx", "let a;", "// Does it.")
        self.assert_flags_line(manners.check_headers, "web/src/a.css", "p {}", "/* It is.\n */")
        self.assert_flags_line(manners.check_headers, "web/check", "import os", "# Does it.")
        self.assert_flags_line(manners.check_columns, "web/src/a.ts", "x" * 133, "x" * 132)
        self.assert_flags(manners.check_names, {"web/src/aB.ts": ""}, {"web/src/a_b.ts": ""})
        self.assert_flags(
            sizes.check_files, {"web/src/a.ts": "\n" * 501}, {"web/dist/a.ts": "\n" * 501}
        )

    def test_names(self):
        self.assert_flags(
            manners.check_names, {"src/model/KvPool.cc": ""}, {"src/model/kv_pool.cc": ""}
        )

    def test_orphans(self):
        lists = {"src/model/CMakeLists.txt": "strata_library(model SOURCES a.cc)"}
        self.assert_flags(
            manners.check_orphans, {**lists, "src/model/ab.cc": ""}, {**lists, "src/model/a.cc": ""}
        )

    def test_banned_calls(self):
        for bad, good in [
            ("throw 1;", "// we never throw\n"),
            ("auto x = std::getenv(name);", 'f("getenv(");'),
            ("auto* x = new Foo;", "std::unique_ptr<Foo>(new Foo(1));"),
            ("delete x;", "Foo(const Foo&) = delete;"),
            ("void* x = malloc(8);", "my_malloc_count(8);"),
            ("std::ifstream in(path);", "env.read(path);"),
            ("auto v = _mm256_setzero_ps();", "auto v = simd_zero();"),
            ("__builtin_ia32_pause();", "cpu_relax();"),
            ('asm volatile("nop");', "asmbly();"),
            ("int page_table;", "int block_table;"),
            ("const auto kvPages = 3;", "const auto huge_page_bytes = 3;"),
            ("int x = std::stoi(text);", "int x = parse_int(text);"),
            ('Json x = {{"a", TRY(f())}};', 'Json x = TRY(f());'),
        ]:
            with self.subTest(bad):
                self.assert_flags_line(manners.check_bans, "src/model/a.cc", bad, good)

    def test_bans_have_their_places(self):
        self.assertEqual(
            self.findings(manners.check_bans, {"src/kernels/x86/a.cc": "__m256 x;\n"}), []
        )
        self.assertEqual(self.findings(manners.check_bans, {"src/base/env.cc": "getenv(x);\n"}), [])
        self.assertEqual(
            self.findings(manners.check_bans, {"src/model/a_test.cc": "std::ofstream out(x);\n"}),
            [],
        )
        self.assert_flags_line(
            manners.check_bans, "tests/a.cc", "std::chrono::steady_clock::now();", "now();"
        )

    def test_banned_in_typescript(self):
        for bad, good in [
            ("a.innerHTML = text;", "a.textContent = text;"),
            ("<b dangerouslySetInnerHTML={x} />", "<b>{x}</b>"),
            ("fetch('https://else.where/x');", "fetch('/x');"),
            ("const a: any = b;", "const a: unknown = b; // of any kind"),
            ("// @ts-ignore", "// ignored"),
        ]:
            with self.subTest(bad):
                self.assert_flags_line(manners.check_web_bans, "web/src/a.tsx", bad, good)
        self.assertEqual(
            self.findings(manners.check_web_bans, {"web/src/a_test.ts": "'https://x.y'\n"}), []
        )

    def test_banned_headers(self):
        for bad in (
            "#include <iostream>",
            "# include <immintrin.h>",
            "#include <cpuid.h>",
            "#include <bits/stdc++.h>",
        ):
            with self.subTest(bad):
                self.assert_flags_line(
                    manners.check_includes, "src/model/a.cc", bad, "#include <vector>"
                )

    def test_words(self):
        for bad in (
            "TO" + "DO: later",
            "FIX" + "ME",
            "see /" + "work/x",
            "/ro" + "ot/.cache",
            "/ho" + "me/ann/x",
        ):
            with self.subTest(bad):
                self.assert_flags_line(
                    manners.check_words, "docs/a.md", bad, "../root/x and /home/you/x"
                )

    def test_folder_readmes(self):
        code = {"src/model/a.h": ""}
        self.assert_flags(
            manners.check_folder_readmes, code, {**code, "src/model/README.md": "\n" * 40}
        )
        self.assert_flags(manners.check_folder_readmes, {"src/model/README.md": "\n" * 41}, {})

    def test_owed_papers(self):
        owed = {path: "" for path in papers.OWED if path != ".ci/run"}
        self.assert_flags(papers.check_owed, owed, {**owed, ".ci/run": ""})

    def test_commands(self):
        run = {"run": RUN_SCRIPT}
        self.assert_flags(
            papers.check_commands,
            {**run, "README.md": "`./run fly`"},
            {**run, "README.md": "`./run chat`"},
        )
        hidden = {"run": RUN_SCRIPT.replace("chat | test)", "chat | test | dig)")}
        self.assert_flags(papers.check_commands, hidden, run)

    def test_exit_codes(self):
        code = {"src/base/status.cc": 'case Code::kIo: return "io";\ncase Code::kIo: return 74;\n'}
        good = {**code, "docs/exit-codes.md": "| 74 | `io` | disk |\n"}
        self.assert_flags(
            papers.check_exit_codes, {**code, "docs/exit-codes.md": "| 75 | `io` | disk |\n"}, good
        )
        self.assert_flags(papers.check_exit_codes, code, good)
        self.assert_flags(
            papers.check_exit_codes,
            {**good, "docs/exit-codes.md": "| 74 | `io` | |\n| 3 | `x` | |\n"},
            good,
        )
        self.assert_flags(papers.check_exit_codes, {}, good)

    def test_links(self):
        self.assert_flags(
            papers.check_links,
            {"docs/a.md": "[b](b.md#part)"},
            {"docs/a.md": "[b](b.md#part) [c](https://c.org) [d](#d)", "docs/b.md": ""},
        )

    def test_packages(self):
        path = "tools/setup/packages.txt"
        self.assert_flags_line(papers.check_packages, path, "build cmake", "build cmake configures")
        self.assert_flags_line(papers.check_packages, path, "play cmake configures", "# play")
        self.assert_flags_line(
            papers.check_packages,
            path,
            "build cmake a\ntest cmake b",
            "build cmake a\ntest gtest b",
        )
        listed = {path: "build libfmt-dev formats\n"}
        used = {"src/base/a.cc": "#include <" + "fmt/core.h>\n"}
        self.assert_flags(papers.check_packages, listed, {**listed, **used})
        self.assert_flags(papers.check_packages, used, {**listed, **used})


class Scanner(unittest.TestCase):
    """Functions found in code whose extents were counted by hand."""

    def found(self, source):
        functions = scan.cpp_functions(textwrap.dedent(source))
        return [(f.name, f.first_line, f.last_line, f.parameters) for f in functions]

    def test_plain_functions(self):
        source = """\
            namespace a {
            int f(int x) { return x; }
            template <class T, int N = 2>
            T g(const std::map<T, T>& m,
                void (*call)(int, int)) {
              if (x) { y(); }
              return T{};
            }
            }  // namespace a
            """
        self.assertEqual(self.found(source), [("f", 2, 2, 1), ("g", 3, 8, 2)])

    def test_classes(self):
        source = """\
            class alignas(64) C final : public B {
             public:
              C(int a, int b) : a_(a), b_{b}, c_(std::vector<int>{1}) {
                d();
              }
              explicit C(int) noexcept(true) : a_{1} {}
              ~C() override { e(); }
              bool operator()(int x) const { return x; }
              bool operator==(const C& o) const { return true; }
              int x = 3, y[2] = {1, 2};
              enum class E { kA, kB };
              void declared(int a) const;
            };
            """
        expected = [
            ("C", 3, 5, 2),
            ("C", 6, 6, 1),
            ("~C", 7, 7, 0),
            ("operator()", 8, 8, 1),
            ("operator==", 9, 9, 1),
        ]
        self.assertEqual(self.found(source), expected)

    def test_tables_lambdas_and_trailing_types(self):
        source = """\
            constexpr Row kRows[] = {{"a", f(1)}, {"b", nullptr}};
            const auto table = make({1, 2});
            std::vector<int> v{1, 2};
            auto h(int a) -> std::vector<int> {
              return [&](int z) { return z; }(a);
            }
            const auto k = [](int a, int b) {
              return a + b;
            };
            extern "C" {
            int c_abi(void) { return 0; }
            }
            [[nodiscard]] struct S s(int a) {
              return {};
            }
            TEST(Suite, Case) {
              EXPECT_EQ(1, 1);
            }
            """
        expected = [
            ("h", 4, 6, 1),
            ("k", 7, 9, 2),
            ("c_abi", 11, 11, 0),
            ("s", 13, 15, 1),
            ("TEST", 16, 18, 2),
        ]
        self.assertEqual(self.found(source), expected)

    def test_text_that_looks_like_code(self):
        source = """\
            // void no() {
            /* void no() { */
            const char* s = "void no() {";
            const char* r = R"x(
            void no() { "
            )x";
            #define M(x) \\
              void no_##x() {
            int big = 1'000'000; char brace = '{', quote = '\\'';
            #ifdef A
            int f() {
            #else
            int f(int a) {
            #endif
              return '}';
            }
            int after() { return 0; }
            """
        self.assertEqual(self.found(source), [("f", 11, 16, 0), ("after", 17, 17, 0)])

    def test_nesting_counts_control_blocks_only(self):
        source = """\
            void f() {
              for (;;) {
                if (a(b)) { x = S{1, {2}}; } else { do { g({1}); } while (b); }
                run([&](int z) { if constexpr (z) { y(); } });
              }
            }
            """
        self.assertEqual([f.nesting for f in scan.cpp_functions(textwrap.dedent(source))], [3])

    def test_rust_and_python(self):
        rust = "fn a<'x>(s: &'x str, c: char) -> bool {\n  c == '{' && s == \"}\"\n}\n"
        rust += "trait T { fn b(&self); }\n"
        self.assertEqual(
            [(f.name, f.lines, f.parameters) for f in scan.rust_functions(rust)], [("a", 3, 2)]
        )
        python = "class C:\n  def m(self, a, *, named=1):\n    def inner():\n      pass\n"
        python += "    return inner\n"
        self.assertEqual(
            [(f.name, f.lines, f.parameters) for f in scan.python_functions(python)],
            [("m", 4, 2), ("inner", 2, 0)],
        )

    def test_typescript(self):
        source = """
            export async function* a({ b, c }: P, d: (x: number) => void): Promise<A> {
              if (b) {
                c();
              }
            }
            class C {
              #m(x: Map<string, number>): void {
                for (const y of x) {
                  y();
                }
              }
              async n<T>(
                a: T,
                b: T,
              ): Promise<T> {
                return a;
              }
              o: number;
            }
            const p = q(1);
            """
        found = scan.typescript_functions(textwrap.dedent(source))
        shown = [(f.name, f.lines, f.parameters) for f in found]
        self.assertEqual(shown, [("a", 5, 2), ("#m", 5, 1), ("n", 6, 2)])


if __name__ == "__main__":
    unittest.main()
