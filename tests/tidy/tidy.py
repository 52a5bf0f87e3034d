"""Holds the tree to its layers, budgets and manners; prints the size table.

One test case per rule. A rule is a function from Tree to findings (texts that begin with a path);
tidy_test.py shows each of them a planted violation. The root is STRATA_SOURCE_DIR or two up.
"""

import os
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True

import layers
import manners
import papers
import sizes
import tree

RULES = {
    "layers": layers.check_includes,
    "dependencies": layers.check_dependencies,
    "file_sizes": sizes.check_files,
    "function_sizes": sizes.check_functions,
    "function_shape": sizes.check_shape,
    "columns": manners.check_columns,
    "file_headers": manners.check_headers,
    "names": manners.check_names,
    "orphans": manners.check_orphans,
    "bans": manners.check_bans,
    "web_bans": manners.check_web_bans,
    "banned_headers": manners.check_includes,
    "words": manners.check_words,
    "folder_readmes": manners.check_folder_readmes,
    "owed": papers.check_owed,
    "commands": papers.check_commands,
    "exit_codes": papers.check_exit_codes,
    "links": papers.check_links,
    "packages": papers.check_packages,
}

_SHOWN = 60  # findings per rule


class Tidy(unittest.TestCase):
    """Filled below: test_<rule> for every rule."""


def _case(rule):
    def test(self):
        findings = rule(ROOT)
        if findings:
            self.fail(f"{len(findings)} findings\n" + "\n".join(findings[:_SHOWN]))

    return test


for _name, _rule in RULES.items():
    setattr(Tidy, f"test_{_name}", _case(_rule))

ROOT = tree.Tree(os.environ.get("STRATA_SOURCE_DIR") or pathlib.Path(__file__).resolve().parents[2])

if __name__ == "__main__":
    print(sizes.table(ROOT), flush=True)
    unittest.main(verbosity=0)
