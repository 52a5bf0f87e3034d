"""openai-node against the server: node/openai_test.mjs, its cases one for one."""

import sys

sys.dont_write_bytecode = True

import foreign

if __name__ == "__main__":
    foreign.main(foreign.cases_of_node("openai_test.mjs"))
