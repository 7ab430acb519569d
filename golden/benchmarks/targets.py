"""What is measured: the kernels, their sizes, what stands beside each, and what is asked of it.

A size is a number of tokens, for `sinkhorn` a number of matrices. Where nothing is asked of a size, the floor is: no
kernel is slower than the other side.
"""

from __future__ import annotations

from dataclasses import dataclass

DECODE_POSITION = 1_000_000  # tokens before the decoded one
SINKHORN_MATRICES = 8192
MEMORY_SHARE = 0.5  # of the library's peak, for whole layers
LIBRARY, PRODUCT, PRODUCT_BF16 = "transformers", "torch.mm float32", "torch.mm bfloat16"


@dataclass(frozen=True)
class Target:
    """At least `speed` times as fast as the other side; at least `share` of the machine's `limit`, for our side."""

    speed: float | None = None
    limit: str | None = None  # "compute": fused multiply-adds; "memory": a copy
    share: float = 0.0


FLOOR = Target(1.0)
NONE = Target()


@dataclass(frozen=True)
class Case:
    """One kernel. `ours` is the case of `v4-oracle bench` that is timed, `work` says what the other side does."""

    name: str
    title: str
    work: str
    targets: dict[int, Target]
    ours: str = ""
    peer: str = LIBRARY
    memory: bool = False  # whether the peak of memory is compared as well

    @property
    def request(self) -> str:
        return self.ours or self.name


def both(at_512: float, at_2048: float, limit: str | None = None, share: float = 0.0) -> dict[int, Target]:
    """Targets at 512 and 2048 tokens."""
    return {512: Target(at_512, limit, share), 2048: Target(at_2048, limit, share)}


def small(targets: dict[int, Target]) -> dict[int, Target]:
    """The same, with the floor at 1 and 128 tokens."""
    return {1: FLOOR, 128: FLOOR} | targets


def cases(tiles: bool) -> tuple[Case, ...]:
    """Every case in the order of the page. `tiles` is whether the machine has BF16 tile instructions."""
    return (*_hyper_connections(), *_attention(), *_experts(), *_layers(), *_packed(2.0 if tiles else 0.9))


def _hyper_connections() -> tuple[Case, ...]:
    return (
        Case("sinkhorn", "Sinkhorn, 20 iterations, 8192 matrices",
             "the lines of DeepseekV4HyperConnection.forward from the softmax to the last iteration",
             {SINKHORN_MATRICES: Target(20.0)}),
        Case("hyper-connection-site", "hyper-connection site",
             "DeepseekV4DecoderLayer up to its second site; attention and norm replaced by nothing",
             small(both(5.0, 10.0, "memory", 0.7))),
    )


def _attention() -> tuple[Case, ...]:
    core = "eager_attention_forward on entries and a mask that are ready"
    return (
        Case("csa-compressor", "CSA compressor", "DeepseekV4CSACompressor with an indexer that selects nothing",
             small(both(1.1, 1.1, "compute", 0.65))),
        Case("hca-compressor", "HCA compressor", "DeepseekV4HCACompressor", small(both(1.1, 1.1, "compute", 0.65))),
        Case("indexer", "indexer", "DeepseekV4Indexer", small(both(2.0, 2.0, "compute", 0.6))),
        Case("csa-core", "core attention, CSA", core, small(both(4.0, 8.0, "compute", 0.55))),
        Case("hca-core", "core attention, HCA", core, small(both(6.0, 15.0, "compute", 0.5))),
        Case("sliding-core", "core attention, sliding", core, small(both(6.0, 15.0, "compute", 0.5))),
    )


def _experts() -> tuple[Case, ...]:
    return (
        Case("router", "router, 256 experts, top-6", "DeepseekV4TopKRouter", small(both(1.2, 1.2))),
        Case("experts", "experts, 8 + shared, top-6",
             "DeepseekV4SparseMoeBlock with a router that returns a ready choice", small(both(1.0, 1.0))),
        Case("expert-gemm", "experts against sgemm",
             "torch.mm of the same shapes, into ready outputs; our side is the whole of `experts`",
             both(0.95, 0.95), ours="experts", peer=PRODUCT),
    )


def _layers() -> tuple[Case, ...]:
    layer = "DeepseekV4DecoderLayer without a cache; the mask and the rotary angles are ready"
    return (
        Case("csa-layer", "whole CSA layer", layer, both(1.5, 2.3), memory=True),
        Case("hca-layer", "whole HCA layer", layer, both(1.5, 2.3), memory=True),
        Case("csa-decode", "one token, whole CSA layer",
             "DeepseekV4DecoderLayer, its cache filled with random entries, keys and overlap", {1: Target(3.0)}),
    )


def _packed(speed: float) -> tuple[Case, ...]:
    """The twin in float32 is torch's product here; decoding is held to the copy, counted in packed bytes."""
    targets = {1: Target(1.0, "memory", 0.6), 512: Target(speed)}
    found = []
    for kind in ("fp8", "fp4"):
        title, product = f"{kind.upper()} product, 2048 × 4096", f"{kind}-matmul"
        found += [
            Case(product, title, "torch.mm of the dequantized weights", targets, peer=PRODUCT),
            Case(f"{product}-bf16", title, "torch.mm of the dequantized weights, which are exact in bfloat16",
                 {1: NONE, 512: NONE}, ours=product, peer=PRODUCT_BF16),
        ]
    return tuple(found)
