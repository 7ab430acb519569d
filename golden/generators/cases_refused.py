"""Negative cases: input that an engine must refuse. `expected_error` is the beginning of this package's sentence."""

import numpy as np

from case import Case, Parameters, Tensors, case_id, normal

SITE: Parameters = {"iterations": 2, "epsilon": 1e-6, "norm_epsilon": 1e-6}
HYPER, ROUTING = "hyper-connections", "expert-routing"


def refused(
    component: str, name: str, operation: str, equations: tuple[str, ...], parameters: Parameters, tensors: Tensors,
    description: str, expected_error: str, *, weights: Tensors | None = None,
) -> Case:  # fmt: skip
    return Case(case_id(component, f"tiny/refuses-{name}"), operation, description, equations, 0, parameters,
                tensors, weights or {}, expected_error=expected_error)  # fmt: skip


def hyper_connection_refusals() -> list[Case]:
    """Axes: 2 tokens, 2 streams, width 3, 8 mixes."""
    rng = np.random.default_rng(4001)
    streams, output = normal(rng, 2, 2, 3), normal(rng, 2, 3)
    projection, logits = normal(rng, 8, 6), normal(rng, 2, 3, 3)
    inputs = {"streams": streams, "layer_output": output}
    weights = {"projection": projection, "base": normal(rng, 8), "scale": np.array([0.75, 1.25, 4], dtype=np.float32)}
    with_nan = projection.copy()
    with_nan[3, 5] = np.nan
    head = {"projection": normal(rng, 2, 6), "scale": np.array([1.5], dtype=np.float32)}
    infinite = np.array([0.5, np.inf], dtype=np.float32)

    def sinkhorn(name: str, iterations: int, epsilon: float, array: np.ndarray, description: str, error: str) -> Case:
        return refused(HYPER, name, "sinkhorn", ("eq-8",), {"iterations": iterations, "epsilon": epsilon},
                       {"combination_logits": array}, description, error)  # fmt: skip

    return [
        refused(HYPER, "site-projection-shape", "site", ("eq-3",), SITE, inputs,
                "A projection with a row too few; an engine that takes it reads beyond the end or mixes up its parts.",
                "site: projection has shape", weights=weights | {"projection": projection[:7]}),
        refused(HYPER, "site-projection-nan", "site", ("eq-3",), SITE, inputs,
                "One NaN among the weights; an engine that takes it gives NaN without saying where it came from.",
                "site: projection holds nan at [3, 5]", weights=weights | {"projection": with_nan}),
        sinkhorn("sinkhorn-no-iterations", 0, 1e-6, logits, "No iterations at all; engines that loop one time fewer "
                 "than stated take 0 for 1.", "sinkhorn: iterations must be at least 1, got 0"),
        sinkhorn("sinkhorn-not-square", 3, 1e-6, normal(rng, 2, 3, 4), "Matrices of 3 x 4, which have no doubly "
                 "stochastic form.", "sinkhorn: combination_logits has shape"),
        sinkhorn("sinkhorn-negative-epsilon", 3, -1e-6, logits, "A negative epsilon, which can make a denominator "
                 "zero.",
                 "sinkhorn: epsilon must be finite and not negative"),
        refused(HYPER, "head-base-infinite", "head", ("2.2-head",), {"epsilon": 1e-6, "norm_epsilon": 1e-6},
                {"streams": streams}, "An infinite base, which would hold one gate open whatever the streams say.",
                "head: base holds inf at [1]", weights=head | {"base": infinite}),
    ]  # fmt: skip


def router_refusals() -> list[Case]:
    """Axes: 3 tokens, width 4, 8 experts."""
    rng = np.random.default_rng(4002)
    hidden, gate, bias = normal(rng, 3, 4), normal(rng, 8, 4), normal(rng, 8)
    with_nan = gate.copy()
    with_nan[6, 2] = np.nan

    def router(name: str, k: int, description: str, error: str, hidden: np.ndarray = hidden,
               gate: np.ndarray = gate) -> Case:  # fmt: skip
        return refused(ROUTING, f"router-{name}", "router", ("2.1-selection",),
                       {"experts_per_token": k, "route_scale": 1.5}, {"hidden": hidden}, description, error,
                       weights={"gate": gate, "bias": bias})  # fmt: skip

    count = "router: experts_per_token must be between 1 and 8, got"
    return [
        router("too-many-experts", 9, "Nine of 8 experts a token; an engine that takes it reads past the last expert.",
               f"{count} 9"),
        router("no-experts", 0, "No expert a token, so that the weights are divided by an empty sum.", f"{count} 0"),
        router("gate-width", 2, "A gate for another width than the tokens have.", "router: gate has shape",
               gate=normal(rng, 8, 5)),
        router("gate-nan", 2, "One NaN in the gate; comparisons with it are false, so a sort may select anything.",
               "router: gate holds nan at", gate=with_nan),
        router("no-tokens", 2, "An empty batch.", "router: needs at least one token", hidden=hidden[:0]),
    ]  # fmt: skip


def hash_router_refusals() -> list[Case]:
    """Axes: 3 tokens, width 4, 8 experts, 2 a token, a table of 32 tokens."""
    rng = np.random.default_rng(4003)
    hidden, gate = normal(rng, 3, 4), normal(rng, 8, 4)
    table = np.stack([rng.permutation(8)[:2] for _ in range(32)]).astype(np.int64)
    broken = table.copy()
    broken[5, 1] = 8

    def hash_router(name: str, ids: list[int], description: str, error: str, table: np.ndarray = table) -> Case:
        inputs = {"hidden": hidden, "token_ids": np.array(ids, dtype=np.int64)}
        return refused(ROUTING, f"hash-router-{name}", "hash-router", ("2.1-hash",), {"route_scale": 1.5}, inputs,
                       description, f"hash-router: {error}",
                       weights={"gate": gate, "token_experts": table})  # fmt: skip

    return [
        hash_router("unknown-token", [3, 40, 7], "A token id beyond the table; an engine that takes it reads foreign "
                    "memory.",
                    "token id 40 at position 1 is outside the table of 32 tokens"),
        hash_router("negative-token", [-1, 4, 7], "Token id -1, as padding has it; many libraries take it for the "
                    "last row.",
                    "token id -1 at position 0 is outside the table of 32 tokens"),
        hash_router("unknown-expert", [3, 5, 7], "A table row that names an expert which does not exist.",
                    "expert id 8 in the table at [5, 1] is outside the 8 experts", table=broken),
    ]  # fmt: skip


def mixture_refusals() -> list[Case]:
    """Axes: 2 tokens, width 4, expert width 3, 5 experts, 2 a token."""
    rng = np.random.default_rng(4004)
    inputs = {"hidden": normal(rng, 2, 4)}
    weights = {"gate": normal(rng, 5, 4), "bias": normal(rng, 5)}
    for prefix, experts in (("", (5,)), ("shared_", ())):
        weights |= {f"{prefix}{name}_projection": normal(rng, *experts, *axes)
                    for name, axes in (("gate", (3, 4)), ("up", (3, 4)), ("down", (4, 3)))}  # fmt: skip

    def mixture(
        name: str, equation: str, clamp_limit: float, description: str, error: str, **changed: np.ndarray
    ) -> Case:
        parameters = {"routing": "learned", "experts_per_token": 2, "route_scale": 1.5, "clamp_limit": clamp_limit}
        return refused(ROUTING, f"mixture-{name}", "mixture", (equation,), parameters, inputs, description,
                       f"mixture: {error}", weights=weights | changed)  # fmt: skip

    return [
        mixture("negative-limit", "2.1-clamp", -1.0, "A negative clamp limit, which would turn the up clamp inside "
                "out.",
                "clamp_limit must be 0 (off) or positive"),
        mixture("up-projection-shape", "2.1-expert", 10.0, "An up projection of another expert width than the gate "
                "projection.", "up_projection has shape", up_projection=normal(rng, 5, 2, 4)),
    ]  # fmt: skip


def refused_cases() -> list[Case]:
    return hyper_connection_refusals() + router_refusals() + hash_router_refusals() + mixture_refusals()
