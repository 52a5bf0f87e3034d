"""What a training run must remember: weights, their running average, optimizers, and the place in the data.

RunState is the private checkpoint (with the optimizers); load_folder starts from the committed form, weights and training.json.
"""

import json
import os
import pathlib

import torch
from model import Pebble
from safetensors.torch import load_file

_PLACE = ("step", "tokens", "answer_tokens", "document", "micro")


class RunState:
    def __init__(self, path: pathlib.Path, model: Pebble, optimizers: list[torch.optim.Optimizer],
                 settings: dict) -> None:
        self.path, self.model, self.optimizers, self.settings = path, model, optimizers, settings
        self.step = self.tokens = self.answer_tokens = 0
        self.document = self.micro = 0  # the next window begins with this document; so many of its micro-batches are done
        self.decay_start: int | None = None  # tokens seen where the learning rate began to fall
        self.averaged = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def average(self, keep: float) -> None:
        """A mean over about 1 / (1 - keep) steps, fewer at the beginning."""
        keep = min(keep, (self.step + 1) / (self.step + 10))
        for name, value in self.model.named_parameters():
            self.averaged[name].lerp_(value, 1 - keep)

    def place(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in _PLACE}

    def save(self) -> None:
        """Replaces the file at once, so that a stop at any moment leaves a whole one."""
        whole = {"model": self.model.state_dict(), "averaged": self.averaged, "place": self.place(),
                 "settings": self.settings, "decay_start": self.decay_start,
                 "optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}
        fresh = self.path.with_suffix(".new")
        torch.save(whole, fresh)
        os.replace(fresh, self.path)

    def load(self) -> bool:
        if not self.path.exists():
            return False
        whole = torch.load(self.path, weights_only=True, map_location=next(self.model.parameters()).device)
        if whole["settings"]["layers"] != self.settings["layers"]:
            raise SystemExit(f"{self.path} has {whole['settings']['layers']} layers; give --layers {whole['settings']['layers']}")
        self.model.load_state_dict(whole["model"])
        self.averaged = whole["averaged"]
        for optimizer, saved in zip(self.optimizers, whole["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for name, value in whole["place"].items():
            setattr(self, name, value)
        if whole["settings"]["decay_tokens"] == self.settings["decay_tokens"]:
            self.decay_start = whole.get("decay_start")  # the same fall goes on
        return True


def load_folder(folder: pathlib.Path, model: Pebble, state: RunState) -> None:
    """Weights and place of a committed model; the optimizers start anew."""
    layers = json.loads((folder / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
    if layers != model.shape.layers:
        raise SystemExit(f"--resume {folder}: it has {layers} layers; give --layers {layers}")
    model.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})
    state.averaged = {name: value.detach().clone() for name, value in model.named_parameters()}
    training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    for name in _PLACE:
        setattr(state, name, training["place"][name])
