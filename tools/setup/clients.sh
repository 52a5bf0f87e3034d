# shellcheck shell=sh
# shellcheck disable=SC2154  # reports is tests.sh's
# What ./run clients does: programs that are not ours against the real server. Node, Playwright and
# Go come from PyPI into build/web and build/clients, the API's clients from their registries, the
# browser from Debian; ./run test needs none of them.

# counted NAME COMMAND...: runs a program that ends as Python's unittest does and records its cases
counted() {
  name=$1 log=build/logs/$1.log status=run
  shift
  "$@" >"$log" 2>&1 || status=fail
  if [ "$status" = fail ]; then
    cat "$log" >&2
    note "FAILED: $name"
  fi
  printf '<testsuite><testcase name="%s" status="%s"><system-out>%s</system-out>%s\n' \
    "$name" "$status" "$(tail -n 4 "$log" | sed 's/[<&]/ /g')" '</testcase></testsuite>' \
    >"$reports/$name.xml"
}

# client_tests ENVIRONMENT NAME...: tests of clients with what build/clients/ENVIRONMENT holds
client_tests() {
  environment=$1
  shift
  for name in "$@"; do
    counted "client-$name" "build/clients/$environment/bin/python" "tests/clients/${name}_test.py"
  done
}

# needed_packages [--nightly]
needed_packages() {
  python3 tests/clients/packages.py "$@" >&2 || die 69 "the API's clients could not be installed" \
    'read the error above; *requirements.txt, node/ and go/ in tests/clients say what they are'
}

test_clients() {
  steps 7
  need build clients
  begin_reports
  step 'building build/release/strata'
  built release strata || finish
  step 'installing Node and Playwright into build/web'
  python3 web/toolchain.py >&2 || die 69 'the tools of the web page could not be installed' \
    'read the error above; web/requirements.txt and web/package-lock.json say what they are'
  step 'checking that web/dist is what its sources build to'
  counted page-check python3 web/check
  step 'testing the page in a browser'
  for name in chat look server; do
    counted "page-$name" build/web/venv/bin/python "tests/web/${name}_test.py"
  done
  step "installing the API's clients into build/clients"
  needed_packages
  step "testing the API with its clients (openai-go's first build takes minutes)"
  client_tests venv openai_python openai_node openai_go anthropic lm_eval
  finish
}

# The clients whose packages are too many for every change; the binary is the release build's.
nightly_clients_phase() {
  step "installing further clients of the API into build/clients (6 GB, most of it PyTorch)"
  needed_packages --nightly
  step 'testing the API with them'
  client_tests nightly litellm langchain ai_sdk guidellm
}
