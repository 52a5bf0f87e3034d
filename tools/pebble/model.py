"""The model that train.py trains: a Llama of pebble's shape in few, large operations, so that two cores keep busy.

Parameters carry the names of LlamaForCausalLM, so a state dict is a checkpoint; `export.py` writes it and the tests hold its
logits to Transformers'. Products run in bfloat16 where asked, on copies made once a step; sums, norms and the loss in float32.
The output layer runs only on the positions that the caller names: positions without loss cost nothing there.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALL = 0.1  # the size of an embedding's entries at the start
LONGEST_PLAIN = 800  # rows up to this length are attended to without the fused operation
FAST = 10  # so many of the fastest turning pairs of a head tell one place from the next


@dataclass(frozen=True)
class Shape:
    """What config.json says, as far as pebble varies it."""

    vocab: int = 4096
    hidden: int = 256
    inner: int = 768
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_size: int = 64
    context: int = 4096
    rope_theta: float = 100_000.0
    norm_eps: float = 1e-5


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention: q [rows, heads, length, size], k and v [rows, kv_heads, length, size] -> as q.

    On a CPU the fused operation takes up to five times as long for short rows, above all backwards, as two plain products whose
    scores still fit the caches.
    """
    rows, heads, length, size = q.shape
    kv_heads = k.shape[1]
    if length > LONGEST_PLAIN or q.is_cuda:
        k, v = (part.repeat_interleave(heads // kv_heads, dim=1) for part in (k, v))
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    ahead = torch.full((length, length), float("-inf"), dtype=q.dtype).triu(1).repeat(heads // kv_heads, 1)
    stacked = (q * size**-0.5).reshape(rows * kv_heads, -1, size)
    k, v = (part.reshape(rows * kv_heads, length, size) for part in (k, v))
    shares = torch.softmax(torch.baddbmm(ahead, stacked, k.transpose(1, 2)), dim=-1)
    return torch.bmm(shares, v).view(rows, heads, length, size)


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        q_width, kv_width = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
        self.q_proj = nn.Linear(shape.hidden, q_width, bias=False)
        self.k_proj = nn.Linear(shape.hidden, kv_width, bias=False)
        self.v_proj = nn.Linear(shape.hidden, kv_width, bias=False)
        self.o_proj = nn.Linear(q_width, shape.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """x [rows, length, hidden], in the type of the products; cos and sin [rows, 1, length, head_size]."""
        s = self.shape
        rows, length, _ = x.shape
        weight = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight]).to(x.dtype)
        qkv = F.linear(x, weight).view(rows, length, s.heads + 2 * s.kv_heads, s.head_size).transpose(1, 2)
        qk, v = qkv[:, : s.heads + s.kv_heads], qkv[:, s.heads + s.kv_heads :]
        half = s.head_size // 2
        turned = torch.cat([-qk[..., half:], qk[..., :half]], dim=-1)
        qk = (qk * cos + turned * sin).to(x.dtype)
        out = attention(qk[:, : s.heads], qk[:, s.heads :], v)
        return F.linear(out.transpose(1, 2).reshape(rows, length, -1), self.o_proj.weight.to(x.dtype))


class Mlp(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = F.linear(x, torch.cat([self.gate_proj.weight, self.up_proj.weight]).to(x.dtype)).chunk(2, dim=-1)
        return F.linear(F.silu(gate) * up, self.down_proj.weight.to(x.dtype))


class Norm(nn.Module):
    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps) * self.weight


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = Norm(shape.hidden, shape.norm_eps)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = Norm(shape.hidden, shape.norm_eps)
        self.mlp = Mlp(shape)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, kind: torch.dtype) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x).to(kind), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x).to(kind))


class Body(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.hidden, shape.norm_eps)


def directions(count: int, width: int) -> Tensor:
    """[count, width]: random directions at right angles to each other."""
    return torch.linalg.qr(torch.randn(width, count))[0].T


@torch.no_grad()
def start_copying(model: "Pebble") -> None:
    """Heads that go on with what followed the last time, from the first step on; finding them takes most of a training.

    A head of the first layer writes, in channels of its own, which token stands before each; heads of the next layers look for
    places where that is the current token and write what stands there. The first head needs a constant to look one place back
    with: the embedding has one, equal for all tokens, which therefore shifts all logits alike.
    """
    s = model.shape
    half, own, steps = s.head_size // 2, s.hidden - s.head_size, model.frequencies
    embedding, layers = model.model.embed_tokens.weight, model.model.layers
    embedding[:, 0] = 8 * SMALL
    embedding[:, own:] = 0
    named = torch.zeros(s.head_size, s.hidden)  # what tokens are told apart by
    named[:, 1:own] = directions(s.head_size, own - 1)
    before = layers[0].self_attn
    for weight, turn in ((before.q_proj.weight, steps), (before.k_proj.weight, 0 * steps)):
        weight[: s.head_size] = 0
        weight[:FAST, 0] = 0.9 * turn.cos()[:FAST]
        weight[half : half + FAST, 0] = -0.9 * turn.sin()[:FAST]
    before.v_proj.weight[: s.head_size] = named
    before.o_proj.weight[own:, : s.head_size] = SMALL * torch.eye(s.head_size)
    slow = torch.cat([torch.arange(half // 2, half), torch.arange(half + half // 2, s.head_size)])  # hardly turned by distance
    for layer in layers[1:3]:
        mixed = 1.7 * directions(len(slow), s.head_size)
        match = layer.self_attn
        for weight, seen in ((match.q_proj.weight, mixed @ named), (match.k_proj.weight, F.pad(mixed, (own, 0)))):
            weight[: s.head_size] = 0
            weight[slow] = seen
        copied = torch.zeros(s.head_size, s.hidden)
        copied[:, 1:own] = directions(s.head_size, own - 1)
        match.v_proj.weight[: s.head_size] = copied
        match.o_proj.weight[:, : s.head_size] = 2 * SMALL * copied.T


class Pebble(nn.Module):
    def __init__(self, shape: Shape, kind: torch.dtype = torch.float32, residual: torch.dtype = torch.float32) -> None:
        """kind: the type of the matrix products; residual: the type of the sum that runs through the layers."""
        super().__init__()
        self.shape, self.kind, self.residual = shape, kind, residual
        self.model = Body(shape)
        steps = torch.arange(0, shape.head_size, 2, dtype=torch.float64) / shape.head_size
        self.register_buffer("frequencies", (shape.rope_theta ** -steps).float(), persistent=False)
        self.start()

    def start(self) -> None:
        """Weights to begin with: branches add nothing at first, the embedding is small because it is also the output."""
        for name, parameter in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.zeros_(parameter)
            elif name.endswith("proj.weight"):
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
            elif name.endswith("embed_tokens.weight"):
                nn.init.normal_(parameter, std=SMALL)
        nn.init.constant_(self.model.norm.weight, 0.5)
        start_copying(self)

    def states(self, ids: Tensor, positions: Tensor) -> Tensor:
        """ids and positions [rows, length] -> the states under the output layer [rows, length, hidden]."""
        angles = (positions[:, None, :, None].float() * self.frequencies).repeat(1, 1, 1, 2)
        cos, sin = angles.cos().to(self.kind), angles.sin().to(self.kind)
        x = F.embedding(ids, self.model.embed_tokens.weight).to(self.residual)
        for layer in self.model.layers:
            x = layer(x, cos, sin, self.kind).to(self.residual)
        return self.model.norm(x)

    def logits_at(self, ids: Tensor, positions: Tensor, places: Tensor) -> Tensor:
        """Logits [places, vocab] at these indices into the flattened ids."""
        chosen = self.states(ids, positions).flatten(0, 1).index_select(0, places)
        return F.linear(chosen.to(self.kind), self.model.embed_tokens.weight.to(self.kind)).float()

    def forward(self, ids: Tensor) -> Tensor:
        """Logits [rows, length, vocab] at positions 0, 1, ..."""
        positions = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        return F.linear(self.states(ids, positions).to(self.kind), self.model.embed_tokens.weight.to(self.kind)).float()
