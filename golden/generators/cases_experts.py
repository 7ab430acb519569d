"""Cases of component `expert-routing` (report 2.1): one expert, and the mixture of routed experts and shared expert.

Axes: T tokens, d model width, E experts, k experts per token, f expert width, V vocabulary.

The clamp is asymmetric: the gate has an upper limit only, the up projection one on both sides. Cases with a clamp have
pre-activations beyond the limit on both sides, in gate and up, and in the shared expert as well.
"""

from dataclasses import dataclass

import numpy as np

from case import Array, Case, Tensors, bfloat16, case_id, clear_selection, eighths, first_seed, normal
from cases_expert_routing import COMPONENT, bias_decides, router_tensors, scores_of
from cases_hash_routing import table

EXPERT = ("2.1-expert",)
CLAMP = ("2.1-clamp",)
MIXTURE = ("2.1-affinity", "2.1-weights", "2.1-expert", "2.1-clamp", "2.1-shared-expert", "2.1-mixture")
ROUTED_BY = {"learned": ("2.1-selection",), "hash": ("2.1-hash",)}


# One expert


def expert_case(
    name: str, seed: int, shape: tuple[int, int, int], clamp_limit: float, description: str, *,
    spread: float = 1.0, gate_offset: float = 0.0, unit_slots: bool = False, by_eye: bool = False,
) -> Case:  # fmt: skip
    """T, d, f = `shape`; pre-activations of deviation `spread`; `gate_offset` moves those of the gate.

    The last channel of hidden is 1 when there is an offset, and the gate projection's last column carries it.
    """
    rng = np.random.default_rng(seed)
    tokens, width, inner = shape
    if by_eye:
        hidden, gate, up = (eighths(rng, *axes) for axes in ((tokens, width), (inner, width), (inner, width)))
        down, slots = eighths(rng, width, inner), np.array([0.75] * tokens, dtype=np.float32)
    else:
        hidden, slots = normal(rng, tokens, width), rng.uniform(0.1, 1.4, tokens).astype(np.float32)
        gate, up = (normal(rng, inner, width, scale=spread * width**-0.5) for _ in range(2))
        down = normal(rng, width, inner, scale=inner**-0.5)
    if gate_offset:
        hidden[:, -1], gate[:, -1] = 1, gate_offset
    if unit_slots:
        slots[:] = 1
    if width >= 64:
        hidden, gate, up, down = (bfloat16(x) for x in (hidden, gate, up, down))
    return Case(
        id=case_id(COMPONENT, name),
        operation="expert",
        description=description,
        equations=EXPERT + (CLAMP if clamp_limit else ()),
        seed=seed,
        parameters={"clamp_limit": clamp_limit},
        inputs={"hidden": hidden, "slot_weights": slots},
        weights={"gate_projection": gate, "up_projection": up, "down_projection": down},
    )


def expert_cases() -> list[Case]:
    sides = "both signs of gate and up beyond it"
    return [
        expert_case("tiny/expert", 3401000, (1, 3, 2), 0.0, "One token, width 3, expert width 2, no clamp, numbers in "
                    "eighths; shows gate and up exchanged, and clamp limit 0 taken as a clamp to zero.", by_eye=True),
        expert_case("tiny/expert-clamp-half", 3402000, (4, 5, 6), 0.5, f"Clamp limit 0.5, {sides}; shows a missing "
                    "clamp, one after the product, a lower limit on the gate, and none below for up."),
        expert_case("tiny/expert-unit-weights", 3403000, (3, 5, 6), 10.0, f"Clamp limit 10, {sides}, slot weights of "
                    "1; shows a missing clamp at the released limit.", spread=12.0, unit_slots=True),
        expert_case("tiny/expert-slot-weights", 3404000, (4, 5, 6), 0.0, "Slot weights from 0.1 to 1.4 and no clamp; "
                    "shows the weight applied after the down projection, or left out.", spread=2.0),
        expert_case("odd/expert-negative-gates", 3405000, (5, 7, 9), 10.0, "All gates below -10, so that every "
                    "activation is tiny; shows a gate clamped from below as well.", spread=3.0, gate_offset=-22.0),
        expert_case("odd/expert", 3406000, (5, 7, 9), 0.5, f"Every axis of another size, clamp limit 0.5, {sides}; "
                    "shows exchanged axes and every wrong clamp.", spread=1.5),
        expert_case("odd/expert-no-clamp", 3407000, (5, 7, 9), 0.0, "Pre-activations up to 40 and no clamp; "
                    "shows a limit of 10 that is always on, and limit 0 taken as a clamp to zero.", spread=12.0),
        expert_case("published/expert-flash", 3408000, (4, 64, 48), 10.0, f"The released limit 10, {sides}, narrow "
                    "widths; shows a missing clamp and one after the product.", spread=12.0),
    ]  # fmt: skip


# The mixture


@dataclass(frozen=True)
class Shape:
    """Sizes of a mixture."""

    tokens: int
    width: int
    inner: int
    experts: int
    k: int


TINY = Shape(tokens=3, width=4, inner=3, experts=5, k=2)
ODD = Shape(tokens=6, width=5, inner=9, experts=7, k=3)
FLASH = Shape(tokens=4, width=32, inner=24, experts=16, k=6)
PRO = Shape(tokens=3, width=40, inner=16, experts=12, k=6)


def mixture_weights(seed: int, shape: Shape, spread: float) -> Tensors:
    """The projections of E experts and of the shared one; pre-activations of deviation `spread`."""
    rng = np.random.default_rng([seed, 3])
    into, out = spread * shape.width**-0.5, shape.inner**-0.5
    tensors: Tensors = {}
    for prefix, count in (("", (shape.experts,)), ("shared_", ())):
        tensors[f"{prefix}gate_projection"] = normal(rng, *count, shape.inner, shape.width, scale=into)
        tensors[f"{prefix}up_projection"] = normal(rng, *count, shape.inner, shape.width, scale=into)
        tensors[f"{prefix}down_projection"] = normal(rng, *count, shape.width, shape.inner, scale=out)
    return {name: bfloat16(x) for name, x in tensors.items()} if shape.width >= 32 else tensors


def mixture_case(
    name: str, seed: int, shape: Shape, route: Tensors, route_scale: float, clamp_limit: float, description: str, *,
    spread: float,
) -> Case:  # fmt: skip
    """A mixture; `route` holds hidden and gate, and bias or token_ids and token_experts."""
    routing = "hash" if "token_ids" in route else "learned"
    input_names = ("hidden", "token_ids")
    return Case(
        id=case_id(COMPONENT, name),
        operation="mixture",
        description=description,
        equations=MIXTURE + ROUTED_BY[routing],
        seed=seed,
        parameters={"routing": routing, "experts_per_token": shape.k, "route_scale": route_scale,
                    "clamp_limit": clamp_limit},
        inputs={name: route[name] for name in input_names if name in route},
        weights={name: x for name, x in route.items() if name not in input_names}
        | mixture_weights(seed, shape, spread),
    )  # fmt: skip


def learned(
    name: str, start: int, shape: Shape, route_scale: float, clamp_limit: float, description: str, *,
    spread: float = 1.5, bias: float = 0.3, decisive: bool = False,
) -> Case:  # fmt: skip
    """A mixture with a learned router whose selections are clear; `decisive` asks that the bias changes every set."""

    def accept(route: Tensors) -> bool:
        return clear_selection(scores_of(route), shape.k) and (not decisive or bias_decides(route, shape.k))

    sizes = (shape.tokens, shape.width, shape.experts)
    seed, route = first_seed(start, lambda seed: router_tensors(seed, sizes, bias=bias), accept)
    return mixture_case(name, seed, shape, route, route_scale, clamp_limit, description, spread=spread)


def hashed(
    name: str, seed: int, shape: Shape, token_experts: Array, ids: list[int], route_scale: float, clamp_limit: float,
    description: str, *, spread: float = 1.5,
) -> Case:  # fmt: skip
    """A mixture whose experts come from a table."""
    route = router_tensors(seed, (shape.tokens, shape.width, shape.experts))
    del route["bias"]
    route |= {"token_ids": np.array(ids, dtype=np.int64), "token_experts": token_experts.astype(np.int64)}
    return mixture_case(name, seed, shape, route, route_scale, clamp_limit, description, spread=spread)


def mixture_cases() -> list[Case]:
    repeats = "a row that names an expert twice counts it once for each slot; shows repeats merged or overwritten"
    shared = "shows the shared expert left out or scaled by the route scale"
    every_expert = Shape(tokens=4, width=5, inner=6, experts=4, k=4)
    crowd = Shape(tokens=9, width=5, inner=6, experts=4, k=2)
    same_row = np.array([[2, 2], [0, 2], [1, 1], [4, 0]])
    return [
        learned("tiny/mixture", 3501000, TINY, 1.5, 0.0, f"Three tokens, 2 of 5 experts, no clamp; {shared}, "
                "and clamp limit 0 taken as a clamp to zero."),
        learned("tiny/mixture-clamp-half", 3502000, TINY, 1.5, 0.5, "Clamp limit 0.5 with most pre-activations "
                "beyond it on both sides, routed and shared; shows the clamp missing in either, or after the product."),
        learned("tiny/mixture-bias-decides", 3503000, TINY, 1.5, 0.5, "Biases that change the selected set of every "
                "token; shows the bias dropped or used in the weights.", bias=2.0, decisive=True),
        hashed("tiny/mixture-hash", 3504000, TINY, table(3504000, 8, 2, 5), [3, 7, 1], 1.5, 0.5,
               "Hash routing; shows learned selection in a hash layer, ids replaced by 0, and uniform weights."),
        hashed("tiny/mixture-hash-repeated", 3505000, TINY, same_row, [0, 2, 3], 1.5, 0.0,
               f"Hash routing where {repeats}."),
        learned("tiny/mixture-all-experts", 3506000, every_expert, 1.5, 0.5, "Every expert serves every token; "
                "shows weights paired with the wrong experts."),
        learned("tiny/mixture-crowded", 3507000, crowd, 1.5, 0.0, "Nine tokens on 4 experts, so that an expert "
                "serves many; shows outputs scattered to the wrong token."),
        learned("odd/mixture", 3511000, ODD, 0.7, 0.5, "Every axis of another size, route scale 0.7, clamp limit "
                f"0.5; {shared}.",
                spread=1.5),
        hashed("odd/mixture-hash", 3512000, ODD, table(3512000, 17, 3, 7), [16, 3, 3, 9, 1, 12], 0.7, 0.5,
               "Every axis of another size, hash routing; shows exchanged axes and ids taken by position."),
        hashed("odd/mixture-hash-repeated", 3513000, ODD, table(3513000, 17, 3, 7, repeats=True),
               [16, 3, 8, 9, 1, 12], 0.7, 0.5,
               f"Hash routing with three slots where {repeats}."),
        learned("odd/mixture-large-limit", 3514000, ODD, 0.7, 10.0, "The released limit 10 with pre-activations "
                "beyond it on both sides, routed and shared; shows a missing or misplaced clamp.", spread=12.0),
        learned("odd/mixture-no-clamp", 3515000, ODD, 0.7, 0.0, "Pre-activations up to 40 and no clamp; "
                "shows a limit of 10 that is always on.", spread=12.0),
        learned("published/mixture-flash", 3521000, FLASH, 1.5, 10.0, "Flash's 6 experts a token, route scale 1.5 "
                "and limit 10 on a narrow model of 16 experts; shows each of the three fixed at another value.",
                spread=12.0),
        learned("published/mixture-pro", 3522000, PRO, 2.5, 10.0, "Pro's 6 experts a token, route scale 2.5 and "
                "limit 10 on a narrow model of 12 experts; shows sizes fixed for Flash.", spread=12.0),
        hashed("published/mixture-flash-hash", 3523000, FLASH, table(3523000, 64, 6, 16), [63, 5, 17, 40], 1.5, 10.0,
               "Flash's hash layer on a narrow model; shows learned selection and lost ids.", spread=12.0),
    ]  # fmt: skip


def expert_and_mixture_cases() -> list[Case]:
    return expert_cases() + mixture_cases()
