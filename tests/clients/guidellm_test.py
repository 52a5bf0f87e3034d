"""guidellm's load against the server: nothing fails, and every answer has the tokens that were asked for."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import client_case
from served import PEBBLE

REQUESTS = 24
OUTPUT_TOKENS = 16


class Guidellm(client_case.ClientCase):
    def load(self, request_format):
        """guidellm's report of one load of four streams."""
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder, "report.json")
            where = f"target={self.server.url},model=pebble,request_format={request_format}"
            sizes = f"prompt_tokens=40,output_tokens={OUTPUT_TOKENS}"
            command = [pathlib.Path(sys.executable).with_name("guidellm"), "run"]
            command += ["--backend", f"kind=openai_http,{where}"]
            command += ["--profile", "kind=concurrent,streams=4"]
            command += ["--constraint", f"kind=max_requests,count={REQUESTS}"]
            command += ["--data", f"kind=synthetic_text,{sizes}"]
            command += ["--tokenizer", f"kind=hf_auto,model={PEBBLE}"]
            command += ["--output", f"kind=json,path={report}", "--disable-console"]
            offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": folder}
            done = subprocess.run(
                command,
                env=os.environ | offline,
                capture_output=True,
                text=True,
                check=False,
                timeout=600,
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return json.loads(report.read_text(encoding="utf-8"))["benchmarks"][0]

    def test_every_format_is_answered_whole(self):
        for request_format in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
            with self.subTest(request_format):
                found = self.load(request_format)
                made = found["scheduler_metrics"]["requests_made"]
                self.assertEqual([made["successful"], made["errored"]], [REQUESTS, 0])
                tokens = found["metrics"]["output_token_count"]["successful"]
                self.assertEqual([tokens["min"], tokens["max"]], [OUTPUT_TOKENS] * 2)
                self.assertTrue(self.server.is_idle_within(10))


if __name__ == "__main__":
    client_case.main()
