#!/usr/bin/env python3
"""Loads of the real server that one `strata bench serve` does not make; each says what it saw and whether it is as it should be.

  serve_load.py streams  --count 1000                 N streams at once, each equal to the same request alone
  serve_load.py storm    --count 10000 --seconds 600  clients that go in mid-answer; what the KV pool holds afterwards
  serve_load.py drain    --count 200                  SIGTERM while N streams are under way: all of them end well
  serve_load.py overload --factor 10 --seconds 30     requests at N times the rate that the server answers
  serve_load.py share    --count 16                   what HTTP takes of a step with N streams, beside the same lengths offline

Starts `BINARY serve MODEL` with default flags and those behind `--`. The last line is `WHAT: as it should be` or says what is not;
exit code 1 then.
"""

import argparse
import asyncio
import contextlib
import json
import pathlib
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Callable

WORDS = ("the", "cat", "saw", "a", "red", "house", "and", "went", "home", "17", "Anna", "wolf", "story")


class Server:
    def __init__(self, binary: str, model: str, flags: list[str]) -> None:
        self.process = subprocess.Popen([binary, "serve", model, "--port", "0", *flags], stderr=subprocess.PIPE, text=True)
        self.url = ""
        for line in self.process.stderr or ():
            if line.startswith("ready: "):
                self.url = line.split()[1]
            if line.startswith("try: "):
                break
        if not self.url:
            raise SystemExit("the server did not start; its own words stand above")
        host, port = self.url.removeprefix("http://").split(":")
        self.address = (host, int(port))

    def metric(self, name: str, labels: str = "") -> float:
        """The sum of a metric's samples whose labels contain `labels`."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{") and labels in line)

    def held_blocks(self) -> float:
        return self.metric("strata:kv_blocks", 'state="exclusive"') + self.metric("strata:kv_blocks", 'state="shared"')

    async def idle(self) -> None:
        while await asyncio.to_thread(lambda: self.metric("vllm:num_requests_running") + self.metric("vllm:num_requests_waiting")):
            await asyncio.sleep(0.05)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()


class Refused(Exception):
    """Another status than 200."""


async def events(address: tuple[str, int], body: dict) -> AsyncIterator[dict]:
    """The events of a streamed completion; closes the connection where the caller stops."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        data = json.dumps(body | {"stream": True}).encode()
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                     + f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
        status = int((await reader.readline()).split()[1])
        while (await reader.readline()).strip():
            pass
        if status != 200:
            raise Refused(status)
        text = b""
        while size := int(await reader.readline(), 16):
            text += (await reader.readexactly(size + 2))[:-2]
            *whole, text = text.split(b"\n\n")
            for event in whole:
                said = event.removeprefix(b"data: ")
                if said != event and said != b"[DONE]":  # others are pings
                    yield json.loads(said)
    finally:
        writer.close()


def request(number: int, seed: int) -> dict:
    draw = random.Random(f"{seed} {number}")
    prompt = " ".join(draw.choice(WORDS) for _ in range(draw.choice((3, 20, 120))))
    return {"prompt": prompt, "max_tokens": draw.randint(16, 96), "temperature": draw.choice((0, 0.8, 1.3)), "seed": number,
            "logprobs": draw.randint(0, 3), "ignore_eos": draw.random() < 0.7, "return_token_ids": True,
            "stream_options": {"include_usage": True}}


async def answer(address: tuple[str, int], body: dict, started: Callable[[], None] = lambda: None) -> dict:
    """What all events of a stream say together."""
    said: dict = {"text": "", "ids": [], "logprobs": [], "finish": None, "usage": None}
    async for event in events(address, body):
        for choice in event["choices"]:
            if not said["ids"]:
                started()
            said["text"] += choice["text"]
            said["ids"] += choice.get("token_ids") or []
            said["logprobs"].append(choice["logprobs"]) if choice["logprobs"] else None
            said["finish"] = choice["finish_reason"] or said["finish"]
        if event.get("usage"):
            # How much of a prompt was cached is no part of the answer: it depends on who asked before.
            said["usage"] = {name: count for name, count in event["usage"].items() if name.endswith("_tokens")}
    joined: dict = {}
    for part in said["logprobs"]:
        for name, values in part.items():
            joined.setdefault(name, []).extend(values or [])
    return said | {"logprobs": joined}


async def watch(server: Server, name: str, most: list[float]) -> None:
    while True:
        most[0] = max(most[0], await asyncio.to_thread(server.metric, name))
        await asyncio.sleep(0.2)


async def streams(server: Server, args: argparse.Namespace) -> str:
    bodies = [request(number, args.seed) for number in range(args.count)]
    alone = [await answer(server.address, body) for body in bodies]
    running, open_at_once = [0.0], [0.0]
    watchers = [asyncio.create_task(watch(server, "vllm:num_requests_running", running)),
                asyncio.create_task(watch(server, "strata:http_connections", open_at_once))]
    began = time.monotonic()
    together = await asyncio.gather(*(answer(server.address, body) for body in bodies))
    seconds = time.monotonic() - began
    for watcher in watchers:
        watcher.cancel()
    others = sum(a != b for a, b in zip(alone, together, strict=True))
    tokens = sum(len(said["ids"]) for said in together)
    print(f"{args.count} streams, {tokens} tokens in {seconds:.1f} s; up to {running[0]:.0f} ran at once, "
          f"up to {open_at_once[0]:.0f} connections; {others} differ from the same request alone")
    unfinished = sum(said["finish"] is None or said["usage"] is None for said in together)
    return f"{others} answers differ, {unfinished} did not end" if others + unfinished else ""


async def gone(server: Server, number: int, seed: int) -> None:
    """Asks and leaves after some events, or before the first."""
    stay = random.Random(f"{seed} stay {number}").choice((0, 1, 5, 30))
    body = request(number, seed) | {"max_tokens": 200}
    stream = events(server.address, body)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.02 if stay == 0 else 600):
            for _ in range(max(stay, 1)):
                await anext(stream, None)
    await stream.aclose()


async def storm(server: Server, args: argparse.Namespace) -> str:
    before = server.held_blocks()
    wrong = 0
    batch = max(1, args.count // 20)
    for first in range(0, args.count, batch):
        began = time.monotonic()
        tasks = []
        for number in range(first, min(first + batch, args.count)):
            tasks.append(asyncio.create_task(gone(server, number, args.seed)))
            due = began + (number - first + 1) * args.seconds / args.count
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        failed = [result for result in await asyncio.gather(*tasks, return_exceptions=True) if result is not None]
        await server.idle()
        held = server.held_blocks()
        wrong += len(failed) + (held != before)
        print(f"{min(first + batch, args.count)} clients went, {len(failed)} failed {failed[:1]}; {held:.0f} blocks held, "
              f"{before:.0f} at the start; {server.metric('strata:resident_bytes') / 1e6:.0f} MB", flush=True)
    return f"{wrong} times blocks were held or clients failed" if wrong else ""


async def drain(server: Server, args: argparse.Namespace) -> str:
    under_way = asyncio.Semaphore(0)
    bodies = [request(number, args.seed) | {"max_tokens": 400, "ignore_eos": True} for number in range(args.count)]
    tasks = [asyncio.create_task(answer(server.address, body, under_way.release)) for body in bodies]
    for _ in range(args.count):
        await under_way.acquire()
    ended_before = sum(task.done() for task in tasks)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    fine = sum(isinstance(said, dict) and said["finish"] == "length" and len(said["ids"]) == 400 for said in results)
    code = await asyncio.to_thread(server.process.wait)
    print(f"SIGTERM with {args.count - ended_before} of {args.count} streams under way: {fine} ended whole; the process ended "
          f"after {time.monotonic() - began:.1f} s with {code}")
    return "" if fine == args.count and code == 0 else f"{args.count - fine} streams cut off, exit code {code}"


def send(server: Server, args: argparse.Namespace, rows: pathlib.Path, flags: list[str]) -> tuple[dict, float]:
    """What `strata bench serve` says of these rows, and how many cores it had for itself."""
    report = rows.with_suffix(".json")
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([args.binary, "bench", "serve", "--url", server.url, "--dataset", str(rows), "--json", str(report), *flags],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(report.read_text()), cpu_s / (time.monotonic() - began)


def answered_rate(report: dict, began_s: float, ended_s: float) -> float:
    ends = (start + whole for start, whole in zip(report["start_times"], report["e2els"], strict=True))
    return sum(began_s < end < ended_s for end in ends) / (ended_s - began_s)


async def overload(server: Server, args: argparse.Namespace) -> str:
    """Rates are those of answers that end after the first quarter and before the last request is sent."""
    with tempfile.TemporaryDirectory() as folder:
        rows = pathlib.Path(folder) / "rows.jsonl"

        async def load(first: int, count: int, flags: list[str]) -> tuple[dict, float]:
            rows.write_text("".join(json.dumps(request(number, args.seed)) + "\n" for number in range(first, first + count)))
            return await asyncio.to_thread(send, server, args, rows, ["--requests", str(count), *flags])

        first = 0
        count = 4 * args.clients
        for _ in range(2):  # the first says how many requests take that long
            report, cores = await load(first, count, ["--concurrency", str(args.clients)])
            last = max(report["start_times"])
            peak = answered_rate(report, last / 4, last)
            first += count
            count = int(peak * args.seconds)
        print(f"{args.clients} clients that wait for their answers: {peak:.1f} answers/s, {report['failed']} failed; "
              f"the client had {cores:.2f} cores", flush=True)

        http_began, began = http_cpu_s(server.process), time.monotonic()
        rate = peak * args.factor
        report, cores = await load(first, int(rate * args.seconds), ["--rate", str(rate)])
        http_cores = (http_cpu_s(server.process) - http_began) / (time.monotonic() - began)
    good = answered_rate(report, args.seconds / 4, args.seconds)
    late_ms, p99_ms = report["max_send_delay_ms"], report["p99_refusal_ms"]
    others = report["failed"] - report["refused"]
    print(f"{args.factor} times that rate, at random times: {report['completed'] + report['failed']} requests, "
          f"at most {late_ms:.0f} ms late, {good:.1f} answers/s, {100 * good / peak:.0f} % of the peak; "
          f"{report['refused']} refused, p99 {p99_ms:.1f} ms; {others} failed {report['errors']}; "
          f"the client had {cores:.2f} cores, the threads of HTTP {http_cores:.2f}")
    fine = good >= 0.95 * peak and p99_ms <= 50 and not others
    return "" if fine else "less than 95 % of the peak, refusals after more than 50 ms, or failures"


def http_cpu_s(process: subprocess.Popen) -> float:
    """Processor time of the threads that own sockets."""
    tasks = pathlib.Path(f"/proc/{process.pid}/task").iterdir()
    threads = [task for task in tasks if (task / "comm").read_text() == "strata-http\n"]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in threads) * 1e-9


async def share(server: Server, args: argparse.Namespace) -> str:
    """Both in processor time: by the clock, host work of the engine's thread would count what the client took from it as well."""
    lengths = ["--prompt-tokens", "32:64", "--output-tokens", "128:256", "--seed", str(args.seed)]
    requests = ["--requests", str(args.count * 4)]

    def so_far() -> tuple[float, float, float]:
        return http_cpu_s(server.process), server.metric("strata:host_cpu_seconds_total"), server.metric("strata:steps_total")

    before = so_far()
    client = [args.binary, "bench", "serve", "--url", server.url, *requests, "--concurrency", str(args.count), *lengths]
    await asyncio.to_thread(subprocess.run, client, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    http_s, host_s, steps = (after - b for after, b in zip(so_far(), before, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        stats = pathlib.Path(folder) / "stats.json"
        offline = [args.binary, "bench", "throughput", args.model, *requests, "--max-num-seqs", str(args.count), *lengths,
                   "--stats", str(stats)]
        await asyncio.to_thread(subprocess.run, offline, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        alone = json.loads(stats.read_text())
    served_ms, http_ms = 1e3 * host_s / steps, 1e3 * http_s / steps
    alone_ms = 1e-3 * alone["host_cpu_us"] / alone["steps"]
    both = http_ms + served_ms - alone_ms
    most = 1 if args.count <= 16 else 4
    print(f"{args.count} streams, {steps:.0f} steps: threads of HTTP {http_ms:.3f} ms a step, host work {served_ms:.3f} ms; "
          f"offline {alone_ms:.3f} ms in {alone['steps']} steps; together {both:.3f} ms more (at most {most})")
    return "" if both <= most else f"more than {most} ms"


LOADS = {"share": share, "streams": streams, "storm": storm, "drain": drain, "overload": overload}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("load", choices=LOADS)
    parser.add_argument("--binary", default="build/release/strata")
    parser.add_argument("--model", default="models/pebble")
    parser.add_argument("--count", type=int, default=1000, help="streams or clients (default 1000)")
    parser.add_argument("--seconds", type=float, default=30, help="storm: in all; overload: each part (default 30)")
    parser.add_argument("--factor", type=float, default=10, help="overload: times the answered rate (default 10)")
    parser.add_argument("--clients", type=int, default=64, help="overload: clients that find the answered rate (default 64)")
    parser.add_argument("--seed", type=int, default=1)
    behind = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args = parser.parse_args(sys.argv[1:behind])
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = Server(args.binary, args.model, sys.argv[behind + 1:])
    try:
        fault = asyncio.run(LOADS[args.load](server, args))
    finally:
        if server.process.poll() is None:
            server.end()
    print(f"{args.load}: {fault or 'as it should be'}")
    return int(bool(fault))


if __name__ == "__main__":
    sys.exit(main())
