"""Transformers as the oracle: loads a folder, computes logits of whole sequences without a cache."""
import os

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()


def load(folder, dtype=torch.float32, max_model_len=0):
    """A model in `dtype`; loading with dtype= keeps the RoPE frequencies in float32, which .to() would not."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
    rotary = model.model.rotary_emb
    if rotary.rope_type == "dynamic":
        # Strata fixes the frequencies by the maximum length, so that no token depends on how many came after it.
        rotary.inv_freq, rotary.attention_scaling = ROPE_INIT_FUNCTIONS["dynamic"](model.config, seq_len=max_model_len)
        rotary.rope_type = "fixed"
    return model


@torch.no_grad()
def logits(model, ids):
    """[len(ids), vocab] in the model's dtype widened to float64, row t computed at position t."""
    return model(torch.tensor([ids]), use_cache=False).logits[0].double().numpy()


def greedy(model, prompt, count):
    """`count` greedy tokens and the smallest gap between the best and the second best logit."""
    ids, margin = list(prompt), np.inf
    for _ in range(count):
        last = logits(model, ids)[-1]
        second, best = np.sort(last)[-2:]
        margin = min(margin, best - second)
        ids.append(int(last.argmax()))
    return ids[len(prompt):], float(margin)


def mean_kl(reference, other):
    """Mean over rows of KL(reference || other), in nats."""
    p, q = log_softmax(reference), log_softmax(other)
    return float((np.exp(p) * (p - q)).sum(axis=1).mean())


def log_softmax(x):
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
