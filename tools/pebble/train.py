#!/usr/bin/env python3
"""Train pebble, or go on training it: CPU or CUDA, stopped and started at will.

  train.py --model models/pebble --work DIR --hours H          start, or go on from DIR/checkpoint.pt
  train.py --model models/pebble --work DIR --resume models/pebble   go on from the committed weights (fresh optimizer)
  train.py --model models/pebble --work DIR --decay-tokens N   go on, and let the learning rate fall to 0 over N tokens

Reads the tokenizer of --model, draws the corpus as it goes (no files), writes DIR/checkpoint.pt and DIR/curve.csv. The learning
rate is flat after a warm-up, so a run may end at any time; export.py writes the averaged weights, which stand in for a decay.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from data import NOTHING, Batch, Encoder, Stream  # noqa: E402
from model import Pebble, Shape  # noqa: E402
from progress import Curve, DevSet  # noqa: E402
from state import RunState, load_folder  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from torch import Tensor  # noqa: E402

AVERAGE = 0.995  # of the weights, a step
SETTINGS = ("seed", "layers", "dtype", "lr", "lr_embedding", "micro_tokens", "accumulate", "mix", "decay_tokens")


def optimizers(model: Pebble, args: argparse.Namespace) -> list[torch.optim.Optimizer]:
    """Muon turns the matrices of the layers, AdamW the embedding and the norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim == 1 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=args.lr, momentum=0.95, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=args.lr_embedding, betas=(0.9, 0.98), weight_decay=0.0),
    ]


class Trainer:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.device = torch.device(args.device)
        self.work = pathlib.Path(args.work)
        self.work.mkdir(parents=True, exist_ok=True)
        tokenizer = Tokenizer.from_file(str(pathlib.Path(args.model) / "tokenizer.json"))
        self.encoder = Encoder(tokenizer)
        kind = torch.bfloat16 if args.dtype == "bf16" else torch.float32
        torch.manual_seed(args.seed)
        self.model = Pebble(Shape(vocab=tokenizer.get_vocab_size(), layers=args.layers), kind).to(self.device)
        self.optimizers = optimizers(self.model, args)
        self.stream = Stream(self.encoder, args.seed, parse_mix(args.mix), args.micro_tokens)
        settings = {name: getattr(args, name) for name in SETTINGS}
        self.state = RunState(self.work / "checkpoint.pt", self.model, self.optimizers, settings)
        if args.resume:
            load_folder(pathlib.Path(args.resume), self.model, self.state)
        elif self.state.load():
            print(f"goes on from {self.state.path} at step {self.state.step}", flush=True)
        self.first_step = self.state.step
        if args.decay_tokens and self.state.decay_start is None:
            self.state.decay_start = self.state.tokens
        self.dev = DevSet(self.encoder)
        self.curve = Curve(self.work / "curve.csv")
        # Each pass on one core: two passes at a time wait for each other once a step, two threads in a pass at each product.
        workers = args.threads if self.device.type == "cpu" else 1
        self.pool = concurrent.futures.ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))

    def rate(self) -> float:
        """The share of the full learning rate: up over the first steps of every start, flat, down at the end."""
        share = min(1.0, (self.state.step - self.first_step + 1) / self.args.warmup)
        if self.args.decay_tokens:
            share *= max(0.0, 1 - (self.state.tokens - self.state.decay_start) / self.args.decay_tokens)
        return share

    def gradients(self, batch: Batch, learned: int) -> tuple[list[Tensor], Tensor]:
        """Gradients of the batch's part of the mean loss; sum and count of the losses of answer tokens and of others."""
        ids, positions, places, targets = (torch.from_numpy(part).to(self.device) for part in
                                           (batch.ids, batch.positions, batch.places, batch.targets))
        each = F.cross_entropy(self.model.logits_at(ids, positions, places), targets, reduction="none")
        found = torch.autograd.grad(each.sum() / learned, list(self.model.parameters()))
        answer = torch.from_numpy(batch.is_answer)
        other = ~answer & torch.from_numpy(batch.targets != NOTHING)
        each = each.detach().cpu()
        return list(found), torch.tensor([[each[part].sum(), part.sum()] for part in (answer, other)])

    def step(self, batches: list[Batch]) -> tuple[float, float]:
        """One update; the mean loss of answer tokens and of the others."""
        learned = sum(int((batch.targets != NOTHING).sum()) for batch in batches)
        parts = list(self.pool.map(lambda batch: self.gradients(batch, learned), batches))
        for parameter, *found in zip(self.model.parameters(), *(gradients for gradients, _ in parts), strict=True):
            parameter.grad = sum(found[1:], found[0])
        sums = sum(counted for _, counted in parts)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        share = self.rate()
        for optimizer, full in zip(self.optimizers, (self.args.lr, self.args.lr_embedding), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = full * share
            optimizer.step()
        self.state.average(AVERAGE)
        self.state.step += 1
        self.state.tokens += sum(batch.tokens for batch in batches)
        self.state.answer_tokens += int(sums[0, 1])
        means = sums[:, 0] / sums[:, 1].clamp(min=1)
        return means[0].item(), means[1].item()

    def finished(self, since: float) -> bool:
        if self.args.decay_tokens:
            return self.state.tokens - self.state.decay_start >= self.args.decay_tokens
        return time.monotonic() - since >= self.args.hours * 3600 or self.state.tokens >= self.args.tokens

    def measure(self, loss: float) -> None:
        """Accuracy of the running and of the averaged weights on held-out questions, a line each in the curve."""
        scores = self.dev.scores(self.model, self.device)
        self.curve.add(self.state, loss, scores)
        print("  held out " + self.dev.line(scores), flush=True)

    def run(self) -> None:
        since = saved = time.monotonic()
        spans: list[float] = []
        answer_loss = 0.0
        while not self.finished(since):
            batches, following = self.stream.window(self.state.document, self.state.tokens)
            while self.state.micro < len(batches) and not self.finished(since):
                began = time.monotonic()
                group = batches[self.state.micro : self.state.micro + self.args.accumulate]
                loss, other = self.step(group)
                self.state.micro += len(group)
                answer_loss = loss if answer_loss == 0 else 0.98 * answer_loss + 0.02 * loss
                spans.append((time.monotonic() - began) / sum(batch.tokens for batch in group))
                if self.state.step == self.first_step + 8:
                    self.expect(spans)
                if self.state.step % 20 == 0:
                    speed = 1 / sorted(spans[-40:])[len(spans[-40:]) // 2]
                    print(f"step {self.state.step} tokens {self.state.tokens / 1e6:.2f}M loss {loss:.3f} mean {answer_loss:.3f} "
                          f"context {other:.2f} {speed:.0f} tokens/s", flush=True)
                if self.state.step % self.args.measure == 0:
                    self.measure(answer_loss)
                if time.monotonic() - saved > self.args.save_seconds:
                    self.state.save()
                    saved = time.monotonic()
            if self.state.micro >= len(batches):
                self.state.document, self.state.micro = following, 0
        self.measure(answer_loss)
        self.state.save()

    def expect(self, spans: list[float]) -> None:
        speed = 1 / sorted(spans)[len(spans) // 2]
        total = self.args.decay_tokens or min(self.args.tokens, speed * self.args.hours * 3600)
        print(f"{speed:.0f} tokens/s; expected to see {total / 1e6:.1f}M more tokens in {total / speed / 3600:.1f} h", flush=True)


def parse_mix(text: str) -> dict[str, float]:
    return {kind: float(weight) for kind, weight in (part.split("=") for part in text.split(",") if part)}


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/pebble", help="folder with tokenizer.json (make_tokenizer.py writes it)")
    parser.add_argument("--work", required=True, help="folder for the checkpoint and the curve; made when missing")
    parser.add_argument("--resume", help="a model folder with weights and training.json to go on from")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    parser.add_argument("--dtype", choices=("bf16", "f32"), default="bf16", help="type of the matrix products (default bf16)")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1, help="seed of weights and data (default 1)")
    parser.add_argument("--hours", type=float, default=8.0, help="stop after this long (default 8)")
    parser.add_argument("--tokens", type=float, default=100e6, help="stop at this many tokens seen (default 100e6)")
    parser.add_argument("--decay-tokens", type=float, default=0, help="let the learning rate fall to 0 over so many, then stop")
    parser.add_argument("--lr", type=float, default=5e-3, help="learning rate of Muon (default 0.005)")
    parser.add_argument("--lr-embedding", type=float, default=3e-3, help="learning rate of AdamW (default 0.003)")
    parser.add_argument("--warmup", type=int, default=60, help="steps of rising rate at every start (default 60)")
    parser.add_argument("--micro-tokens", type=int, default=4096, help="most tokens in one pass (default 4096)")
    parser.add_argument("--accumulate", type=int, default=2, help="passes a step (default 2)")
    parser.add_argument("--measure", type=int, default=200, help="steps between two looks at held-out questions (default 200)")
    parser.add_argument("--save-seconds", type=float, default=180)
    parser.add_argument("--mix", default="", help="other shares of kinds, as sort=200,count=50")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="CPU threads; --accumulate should be a multiple (default: one per core)")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    args = parse(argv)
    if not (pathlib.Path(args.model) / "tokenizer.json").exists():
        print(f"--model {args.model}: no tokenizer.json; run make_tokenizer.py --out {args.model} first", file=sys.stderr)
        return 1
    torch.set_num_threads(args.threads)
    trainer = Trainer(args)
    size = sum(parameter.numel() for parameter in trainer.model.parameters())
    print(json.dumps(vars(args)) + f"\n{size / 1e6:.2f}M parameters", flush=True)
    trainer.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
