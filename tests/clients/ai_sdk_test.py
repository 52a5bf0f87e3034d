"""Vercel's AI SDK against the server: node/ai_sdk_test.mjs, its cases one for one."""

import sys

sys.dont_write_bytecode = True

import foreign

if __name__ == "__main__":
    foreign.main(foreign.cases_of_node("ai_sdk_test.mjs"))
