"""Cases of component `expert-routing` (report 2.1): the router of the first layers, which looks experts up by token id.

Axes: T tokens, d model width, E experts, k experts per token, V vocabulary.
"""

import numpy as np

from case import Array, Case, case_id
from cases_expert_routing import COMPONENT, router_tensors

HASH = ("2.1-affinity", "2.1-hash", "2.1-weights")


def hash_case(
    name: str, seed: int, shape: tuple[int, int, int], table: Array, ids: list[int] | Array, route_scale: float,
    description: str, *, spread: float = 1.5, offset: float = 0.0, stray_bias: float = 0.0,
) -> Case:  # fmt: skip
    """hidden [T,d], token_ids [T], table [V,k]: the experts of row token_ids[t], weighted by the gate."""
    tensors = router_tensors(seed, shape, spread=spread, offset=offset, bias=stray_bias)
    weights = {"gate": tensors["gate"], "token_experts": np.asarray(table, dtype=np.int64)}
    if stray_bias:
        weights["bias"] = tensors["bias"]
    return Case(
        id=case_id(COMPONENT, name),
        operation="hash-router",
        description=description,
        equations=HASH,
        seed=seed,
        parameters={"route_scale": route_scale},
        inputs={"hidden": tensors["hidden"], "token_ids": np.asarray(ids, dtype=np.int64)},
        weights=weights,
    )


def table(seed: int, vocabulary: int, k: int, experts: int, repeats: bool = False) -> Array:
    """Rows of k experts in no order, without repeats unless asked for. -> [V,k]"""
    rng = np.random.default_rng([seed, 2])
    if repeats:
        rows = rng.integers(experts, size=(vocabulary, k))
        rows[:, -1] = rows[:, 0]
        return rows
    return np.stack([rng.permutation(experts)[:k] for _ in range(vocabulary)])


def hash_cases() -> list[Case]:
    two_sequences = [3, 16, 5, 5, 1, 3, 9, 9, 16, 2, 5]
    released = "shows uniform weights, learned selection in a hash layer, and sizes fixed elsewhere"
    return [
        hash_case("tiny/hash-router", 3301000, (2, 3, 4), [[3, 1], [0, 2], [1, 0]], [2, 1], 1.5,
                  "Two tokens, a table of 3 rows in no order; shows weights 1/k, sorted rows and learned selection."),
        hash_case("tiny/hash-router-repeated", 3302000, (4, 5, 8), table(3302000, 10, 3, 8, repeats=True),
                  [9, 4, 1, 7], 1.5,
                  "Rows that name an expert twice, each slot counting; shows repeats merged or left out of the sum."),
        hash_case("tiny/hash-router-stray-bias", 3303000, (4, 5, 8), table(3303000, 10, 2, 8), [3, 8, 5, 1], 1.5,
                  "A bias of about +-10 beside a hash layer, to be ignored; shows it in the scores or in the choice.",
                  stray_bias=10.0),
        hash_case("tiny/hash-router-underflow", 3304000, (3, 4, 8), table(3304000, 10, 2, 8), [2, 7, 4], 1.5,
                  "Logits of about -150; shows a softplus that becomes 0, which gives 0 / 0, and a floor on the sum.",
                  spread=4.0, offset=-150.0),
        hash_case("tiny/hash-router-naive-underflow", 3305000, (3, 4, 8), table(3305000, 10, 2, 8), [2, 7, 4], 1.5,
                  "Logits of about -50, ordinary for a careful softplus; shows log(1 + exp(x)), which gives 0 / 0.",
                  spread=4.0, offset=-50.0),
        hash_case("tiny/hash-router-large-logits", 3306000, (3, 4, 8), table(3306000, 10, 2, 8), [6, 1, 3], 1.5,
                  "Logits from about 80 to 140; shows exp overflowing above 88.7.", spread=20.0, offset=105.0),
        hash_case("tiny/hash-router-first-row", 3307000, (4, 5, 8), table(3307000, 10, 2, 8), [7, 0, 9, 3], 1.5,
                  "Token ids of which only one is 0; shows ids lost on the way and replaced by 0."),
        hash_case("odd/hash-router", 3311000, (11, 5, 7), table(3311000, 17, 3, 7), two_sequences, 0.7,
                  "Every axis of another size, two sequences in one list with ids in common; "
                  "shows ids sorted, made unique or taken by position."),
        hash_case("odd/hash-router-one-expert", 3312000, (6, 5, 7), table(3312000, 13, 1, 7), [12, 4, 4, 0, 9, 1], 0.7,
                  "One expert a token, whose weight is the route scale alone; shows weights left unnormalised."),
        hash_case("odd/hash-router-repeated", 3313000, (6, 5, 7), table(3313000, 13, 3, 7, repeats=True),
                  [12, 4, 3, 8, 9, 1], 0.7,
                  "Rows of 3 slots with repeats in no order; shows repeats merged or left out of the sum."),
        hash_case("published/hash-router-flash", 3321000, (5, 64, 256), table(3321000, 512, 6, 256),
                  [511, 7, 130, 300, 12], 1.5, f"Flash's 256 experts, 6 a token; {released}."),
        hash_case("published/hash-router-pro", 3322000, (4, 64, 384), table(3322000, 512, 6, 384),
                  [1, 510, 256, 77], 2.5, f"Pro's 384 experts, 6 a token; {released}."),
    ]  # fmt: skip
