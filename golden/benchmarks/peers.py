"""The other side: each kernel as PyPI transformers or torch computes it, at the widths of Flash, in float32.

Nothing of the model is written here: the library's own modules run, on random weights, eagerly. Weights, inputs, masks
and rotary angles are made before the clock starts; what is timed is what the reference step computes, and less rather
than more where the library mixes in other work (`work` in targets.py says what).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import folders  # noqa: F401
import torch
from model_configs import RELEASED_YARN
from oracle_transformers import DeepseekV4Config, Given, make_config, v4
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

WIDTH, HEADS, HEAD_WIDTH, LATENT, STREAMS, EXPERT_WIDTH = 4096, 64, 512, 1024, 4, 2048
EXPERTS, TOP_K = 8, 6  # of the expert block; the router alone has 256
PRODUCT_ROWS = 2048  # of the packed weights, WIDTH columns
KINDS = {"csa": "compressed_sparse_attention", "hca": "heavily_compressed_attention", "sliding": "sliding_attention"}


class PeerError(RuntimeError):
    """The other side cannot be measured; one sentence."""


@dataclass
class Peer:
    """Something to time. `reset` brings back the state before a run and is not timed."""

    run: Callable[[], Any]
    reset: Callable[[], None] = lambda: None

    def seconds(self) -> float:
        """The time of one run."""
        return self._timed()[0]

    def warm_up(self) -> float:
        """The time of a run whose result is looked at. Raises PeerError where that is empty, NaN or infinite."""
        elapsed, result = self._timed()
        found = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if not found or not all(bool(leaf.isfinite().all()) for leaf in found):
            raise PeerError("a result of the other side is missing or not finite")
        return elapsed

    def _timed(self) -> tuple[float, Any]:
        self.reset()
        with torch.inference_mode():
            start = time.perf_counter()
            result = self.run()
            return time.perf_counter() - start, result


def use_threads(count: int) -> None:
    torch.set_num_threads(count)


def config(kind: str = "sliding", **fields: Any) -> DeepseekV4Config:
    """One layer of Flash; the defaults of the library's class are the widths of Flash."""
    defaults = {"layer_types": [KINDS[kind]], "n_routed_experts": EXPERTS, "num_experts_per_tok": TOP_K,
                "rope_scaling": dict(RELEASED_YARN), "attn_implementation": "eager"}
    return make_config(**(defaults | fields))


def filled(module: nn.Module) -> nn.Module:
    """The module with random weights of the scale that keeps activations near 1, in place, to spare memory."""
    source = torch.Generator().manual_seed(1)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(False)
        if name.endswith("norm.weight") or name.endswith("scale"):
            parameter.fill_(1.0)
        else:
            parameter.normal_(0.0, 1 / math.sqrt(parameter.shape[-1]), generator=source)
    return module.eval()


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


def positions(tokens: int, first: int = 0) -> Tensor:
    return torch.arange(first, first + tokens)[None]


# --- Hyper-connections -----------------------------------------------------------------------------------------------


def sinkhorn_combination(logits: Tensor, iterations: int, epsilon: float) -> Tensor:
    """The lines of the library's hyper-connection, which it does not keep apart; a test holds them to its result."""
    comb = torch.softmax(logits, dim=-1) + epsilon
    comb = comb / (comb.sum(dim=-2, keepdim=True) + epsilon)
    for _ in range(iterations - 1):
        comb = comb / (comb.sum(dim=-1, keepdim=True) + epsilon)
        comb = comb / (comb.sum(dim=-2, keepdim=True) + epsilon)
    return comb


def sinkhorn(matrices: int) -> Peer:
    logits, settings = noise(1, matrices, STREAMS, STREAMS), config()
    return Peer(lambda: sinkhorn_combination(logits, settings.hc_sinkhorn_iters, settings.hc_eps))


class Stop(nn.Module):
    """Stands where a layer goes on after its first site: keeps what it receives and ends the call."""

    class Reached(Exception):
        """The layer got here."""

    received: Tensor | None = None

    def forward(self, streams: Tensor) -> None:
        self.received = streams
        raise Stop.Reached


def hyper_connection_site(tokens: int) -> Peer:
    """The layer's own code for its first site, from the coefficients to the streams that leave it."""
    with torch.device("meta"):
        layer = v4.DeepseekV4DecoderLayer(config(), 0)
    stop = Stop()
    layer.attn_hc = filled(v4.DeepseekV4HyperConnection(config()))
    layer.input_layernorm, layer.ffn_hc = nn.Identity(), stop
    layer.self_attn = Given((noise(1, tokens, WIDTH), None))
    streams = noise(1, tokens, STREAMS, WIDTH)
    layer.eval()

    def run() -> Tensor | None:
        try:
            layer(streams)
        except Stop.Reached:
            return stop.received
        raise PeerError("the library's layer does not reach its second site")

    return Peer(run)


# --- Experts ---------------------------------------------------------------------------------------------------------


def router(tokens: int) -> Peer:
    gate = filled(v4.DeepseekV4TopKRouter(config(n_routed_experts=256)))
    hidden = noise(1, tokens, WIDTH)
    return Peer(lambda: gate(hidden)[:2])


def balanced_choice(tokens: int) -> Tensor:
    """Experts t, t + 1, … modulo their number: each gets as many rows as the others. -> [T,K]"""
    return (torch.arange(tokens)[:, None] + torch.arange(TOP_K)) % EXPERTS


def experts(tokens: int) -> Peer:
    block = filled(v4.DeepseekV4SparseMoeBlock(config(mlp_layer_types=["moe"]), 0))
    block.gate = Given((None, torch.full((tokens, TOP_K), 1.5 / TOP_K), balanced_choice(tokens)))
    hidden = noise(1, tokens, WIDTH)
    return Peer(lambda: block(hidden))


def expert_shapes(tokens: int) -> list[tuple[int, int, int]]:
    """Rows, columns and depth of each product of `experts`, the shared expert last."""
    counts = torch.bincount(balanced_choice(tokens).flatten(), minlength=EXPERTS).tolist()
    shapes = []
    for count in [count for count in counts if count] + [tokens]:
        shapes += [(count, 2 * EXPERT_WIDTH, WIDTH), (count, WIDTH, EXPERT_WIDTH)]
    return shapes


def expert_gemm(tokens: int) -> Peer:
    """Products alone, each with a weight of its own as the experts have."""
    work = [(noise(rows, depth), noise(columns, depth).t(), torch.empty(rows, columns))
            for rows, columns, depth in expert_shapes(tokens)]
    return Peer(lambda: [torch.mm(left, right, out=out) for left, right, out in work])


# --- Packed weights --------------------------------------------------------------------------------------------------


def fp8_weights() -> Tensor:
    """Values of E4M3 times a power of two."""
    return noise(PRODUCT_ROWS, WIDTH).to(torch.float8_e4m3fn).float() * 2.0**-6


def fp4_weights() -> Tensor:
    """Values of E2M1 times a power of two."""
    magnitudes = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
    codes = torch.randint(16, (PRODUCT_ROWS, WIDTH), generator=torch.Generator().manual_seed(3))
    return torch.where(codes < 8, 1.0, -1.0) * magnitudes[codes % 8] * 2.0**-6


def product(weights: Callable[[], Tensor], dtype: torch.dtype) -> Callable[[int], Peer]:
    def make(tokens: int) -> Peer:
        left, right = noise(tokens, WIDTH).to(dtype), weights().to(dtype).t()
        return Peer(lambda: torch.mm(left, right))

    return make


KERNELS: dict[str, Callable[[int], Peer]] = {
    "sinkhorn": sinkhorn, "hyper-connection-site": hyper_connection_site, "router": router, "experts": experts,
    "expert-gemm": expert_gemm, "fp8-matmul": product(fp8_weights, torch.float32),
    "fp8-matmul-bf16": product(fp8_weights, torch.bfloat16), "fp4-matmul": product(fp4_weights, torch.float32),
    "fp4-matmul-bf16": product(fp4_weights, torch.bfloat16),
}
