"""Cases of component `expert-routing` (report 2.1): affinity and learned router.

Axes: T tokens, d model width, E experts, k experts per token.

Selections are exact in every precision: seeds are searched so that all gaps among the k + 1 highest selection scores
are above 1e-3 of their scale. Near ties and exact ties are cases of their own, and say so.
"""

import numpy as np

from case import MARGIN_FLOOR, Array, Case, Tensors, bfloat16, case_id, clear_selection, eighths, first_seed, normal
from case import roomy_margin, selection_scores, sqrt_softplus

COMPONENT = "expert-routing"
ROUTER = ("2.1-affinity", "2.1-selection", "2.1-weights")


# Affinity


def affinity_case(name: str, logits: Array, description: str, seed: int = 0) -> Case:
    """logits [T,E] -> scores [T,E]."""
    return Case(case_id(COMPONENT, name), "affinity", description, ("2.1-affinity",), seed,
                inputs={"logits": np.asarray(logits, dtype=np.float32)})  # fmt: skip


def affinity_cases() -> list[Case]:
    by_eye = np.array([[0, 1, -1, 2], [0.5, -0.5, 4, -4]])
    thresholds = np.array([[0, 88.8, -88.8, -16.7], [20.0, 20.001, -16.6, 88.7], [-20.0, 19.999, 1e-4, -1e-4]])
    flash = normal(np.random.default_rng(3003), 4, 256, scale=3)
    return [
        affinity_case("tiny/affinity", by_eye, "Eight small logits, to follow by hand; "
                      "shows sigmoid, softplus without its root, and the root taken before softplus."),
        affinity_case("tiny/affinity-thresholds", thresholds, "Logits where implementations change formula: 0, 20, "
                      "20.001, -16.7, +-88.8; shows log(1 + exp(x)), which is 0 below -16.6 and overflows above 88.7."),
        affinity_case("odd/affinity-dense", np.linspace(-104, 200, 305).reshape(5, 61),
                      "Logits from -104 to 200 in steps of 1; shows underflow and overflow of the softplus anywhere, "
                      "each score judged by its own size."),
        affinity_case("odd/affinity-deep", np.linspace(-170, -80, 91).reshape(7, 13),
                      "Logits from -170 to -80, where exp(x) leaves float32 but the score exp(x/2) does not; "
                      "shows scores that become 0."),
        affinity_case("published/affinity-flash", bfloat16(flash), "Logits of Flash's 256 experts for four tokens; "
                      "shows scores computed in bfloat16 or by a table.", 3003),
    ]  # fmt: skip


# Learned router


def router_case(
    name: str, seed: int, tensors: Tensors, k: int, route_scale: float, description: str, boundary: str = "clear"
) -> Case:
    """hidden [T,d], gate [E,d], bias [E] -> the k selected experts and their weights."""
    return Case(
        id=case_id(COMPONENT, name),
        operation="router",
        description=description,
        equations=ROUTER,
        seed=seed,
        parameters={"experts_per_token": k, "route_scale": route_scale},
        inputs={"hidden": tensors["hidden"]},
        weights={"gate": tensors["gate"], "bias": tensors["bias"]},
        boundary=boundary,
    )


def router_tensors(
    seed: int, shape: tuple[int, int, int], *, spread: float = 1.5, offset: float = 0.0,
    bias: float = 0.0, bias_offset: float = 0.0,
) -> Tensors:  # fmt: skip
    """T, d, E = `shape`; logits of deviation `spread` around `offset`, biases of deviation `bias` around `bias_offset`.

    The last channel of hidden is 1 when there is an offset, and its gate column carries it.
    """
    rng = np.random.default_rng(seed)
    tokens, width, experts = shape
    hidden, gate = normal(rng, tokens, width), normal(rng, experts, width, scale=spread * width**-0.5)
    if offset:
        hidden[:, -1], gate[:, -1] = 1, offset
    if width >= 64:
        hidden, gate = bfloat16(hidden), bfloat16(gate)
    return {"hidden": hidden, "gate": gate, "bias": normal(rng, experts, scale=bias) + np.float32(bias_offset)}


def scores_of(tensors: Tensors) -> Array:
    return selection_scores(tensors["hidden"], tensors["gate"], tensors["bias"])


def chosen(scores: Array, k: int) -> Array:
    """The k highest of each row, equal ones by lower index. [T,E] -> [T,k]"""
    return np.argsort(-scores, axis=-1, kind="stable")[:, :k]


def bias_decides(tensors: Tensors, k: int) -> bool:
    """Whether every token would select other experts without the bias."""
    without = scores_of({**tensors, "bias": np.zeros_like(tensors["bias"])})
    sets = np.sort(chosen(scores_of(tensors), k)), np.sort(chosen(without, k))
    return bool((sets[0] != sets[1]).any(axis=-1).all())


def clear_router(
    name: str, start: int, shape: tuple[int, int, int], k: int, route_scale: float, description: str, *,
    decisive: bool = False, share: float = 0.3, **options: float,
) -> Case:  # fmt: skip
    """A router whose selections are clear; `decisive` asks that the bias changes the set of every token.

    `share` of the score scale is asked of the largest margin.
    """

    def accept(tensors: Tensors) -> bool:
        scores = scores_of(tensors)
        clear = clear_selection(scores, k) and roomy_margin(scores, k, share)
        return clear and (not decisive or bias_decides(tensors, k))

    seed, tensors = first_seed(start, lambda seed: router_tensors(seed, shape, **options), accept)
    return router_case(name, seed, tensors, k, route_scale, description)


def router_cases() -> list[Case]:
    released = "shows another route scale, a fixed number of experts, and weights not divided by their sum"
    return [
        clear_router("tiny/router", 3101000, (2, 3, 4), 2, 1.5, "Two tokens choose 2 of 4 experts without a bias to "
                     "speak of; shows sigmoid or softmax scores and weights not divided by their sum.",
                     bias=0.05, share=0.4),
        clear_router("tiny/router-one-expert", 3102000, (3, 4, 4), 1, 1.5, "One expert per token, whose weight is "
                     "the route scale alone; shows weights left unnormalised.", bias=0.2),
        clear_router("tiny/router-all-experts", 3103000, (3, 4, 5), 5, 1.5, "As many experts per token as there are, "
                     "so that only the order and the weights remain; shows reading past the last expert.", bias=0.2),
        clear_router("tiny/router-zero-bias", 3104000, (4, 5, 8), 2, 1.5, "All biases 0; "
                     "shows indices in another order than highest score first."),
        clear_router("tiny/router-bias-decides", 3105000, (4, 5, 8), 2, 1.5, "Biases that change the selected set of "
                     "every token; shows a bias that was not loaded, and weights taken from biased scores.",
                     bias=2.0, decisive=True),
        clear_router("tiny/router-six-experts", 3106000, (3, 5, 8), 6, 1.5, "Six of 8 experts, as many as released; "
                     "shows a fixed number of experts and weights normalised over all of them.", bias=0.3),
        clear_router("tiny/router-underflow", 3107000, (3, 4, 8), 2, 1.5, "Logits of about -150, where scores are near "
                     "1e-33; shows a softplus that becomes 0, which gives 0 / 0, and a floor on the sum.",
                     spread=4.0, offset=-150.0),
        clear_router("tiny/router-underflow-with-bias", 3108000, (3, 4, 8), 2, 1.5, "Logits of about -150 with "
                     "biases that select; shows weights of 0 / 0 though the right experts are found.",
                     spread=4.0, offset=-150.0, bias=1.0),
        clear_router("tiny/router-large-logits", 3109000, (3, 4, 8), 2, 1.5, "Logits from about 50 to 160; "
                     "shows exp overflowing above 88.7.", spread=20.0, offset=105.0, bias=0.3, share=0.2),
        clear_router("odd/router", 3111000, (11, 5, 7), 3, 0.7, "Every axis of another size and a route scale below 1; "
                     "shows exchanged axes and a route scale left out.", bias=0.3),
        clear_router("odd/router-large-bias", 3112000, (6, 5, 7), 3, 0.7, "Biases of about +-10, far above the scores; "
                     "shows weights taken from biased scores, some of them negative.", bias=10.0, decisive=True),
        clear_router("odd/router-negative-scores", 3113000, (6, 5, 7), 3, 0.7, "Biases near -6, so that all "
                     "selection scores are negative; shows rejected experts masked by 0 instead of minus infinity.",
                     bias=0.5, bias_offset=-6.0),
        clear_router("odd/router-prime-experts", 3114000, (5, 13, 31), 6, 2.5, "Six of 31 experts; "
                     "shows group-limited routing and kernels that need a power of 2.", bias=0.3),
        clear_router("published/router-flash", 3121000, (5, 64, 256), 6, 1.5, "Flash's 256 experts, 6 a token, route "
                     f"scale 1.5; {released}.", bias=0.3),
        clear_router("published/router-pro", 3122000, (4, 64, 384), 6, 2.5, "Pro's 384 experts, 6 a token, route "
                     f"scale 2.5; {released}.", bias=0.3),
        clear_router("published/router-flash-bias-decides", 3123000, (3, 64, 256), 6, 1.5, "Flash's router with "
                     "biases that change the selected set of every token; shows the bias dropped or used in the "
                     "weights.",
                     bias=1.0, decisive=True),
    ]  # fmt: skip


# Ties and near ties


def tied_tensors(seed: int, groups: list[int], tokens: int) -> Tensors:
    """Experts of one group share gate row and bias. In eighths, logits are exact in any order of sums."""
    rng = np.random.default_rng(seed)
    rows, biases = eighths(rng, max(groups) + 1, 8, largest=12), eighths(rng, max(groups) + 1, largest=4)
    return {"hidden": eighths(rng, tokens, 8, largest=8), "gate": rows[groups], "bias": biases[groups]}


def tied_router(
    name: str, start: int, groups: list[int], k: int, boundary: str, description: str, tokens: int = 4
) -> Case:
    """Exact ties among the k + 1 highest scores: "tied" across the boundary, or inside the selection only ("clear").

    One token has a clear boundary, so that `margin` has a scale; all other gaps are clear as well.
    """

    def accept(tensors: Tensors) -> bool:
        scores = scores_of(tensors)
        highest = -np.sort(-scores, axis=-1)[:, : k + 1]
        gaps = highest[:, :-1] - highest[:, 1:]
        tied = gaps < 1e-12
        clear = gaps > 2 * MARGIN_FLOOR * np.abs(scores).max()
        at_boundary, inside = tied[:, -1], tied[:, :-1].any(axis=-1)
        wanted = at_boundary.sum() == tokens - 1 if boundary == "tied" else inside.all() and not at_boundary.any()
        return bool((tied | clear).all() and wanted and roomy_margin(scores, k, share=0.5))

    seed, tensors = first_seed(start, lambda seed: tied_tensors(seed, groups, tokens), accept)
    return router_case(name, seed, tensors, k, 1.5, description, boundary)


def near_tie_tensors(seed: int, shape: tuple[int, int, int], k: int, bias: float) -> Tensors:
    """Router tensors where the k-th and (k+1)-th scores of all tokens but the last are 3e-4 to 1e-3 of the best apart.

    Of the two, the expert of higher index wins, so that rounding both to the same number turns the choice round.
    At most two logits a token are moved; the gate follows by the smallest change that gives those logits.
    """
    rng = np.random.default_rng([seed, 1])
    tensors = router_tensors(seed, shape, bias=bias)
    hidden, gate, biases = (tensors[name].astype(np.float64) for name in ("hidden", "gate", "bias"))
    logits = hidden @ gate.T
    scores = sqrt_softplus(logits)
    for token, order in enumerate(chosen(scores + biases, k + 1)[:-1]):
        loser, winner = sorted(order[-2:])
        top = (scores[token] + biases)[order[-2]]
        gap = rng.uniform(3e-4, 1e-3) * scores[token].max()
        for expert, score in ((winner, top - biases[winner]), (loser, top - gap - biases[loser])):
            logits[token, expert] = np.log(np.expm1(max(score, 1e-3) ** 2))
    gate += (np.linalg.pinv(hidden) @ (logits - hidden @ gate.T)).T
    return {**tensors, "gate": gate.astype(np.float32)}


def near_tie_router(
    name: str, start: int, shape: tuple[int, int, int], k: int, route_scale: float, bias: float, description: str
) -> Case:
    """A router whose selection turns round when scores, or scores + bias, are rounded to bfloat16."""

    def accept(tensors: Tensors) -> bool:
        biases = tensors["bias"]
        biased = scores_of(tensors)
        order = chosen(biased, k + 1)
        highest = np.take_along_axis(biased, order, axis=-1)
        gaps = highest[:, :-1] - highest[:, 1:]
        clear = 2 * MARGIN_FLOOR * np.abs(biased).max()
        relative = (gaps[:, -1] / (biased - biases).max(axis=-1))[:-1]
        near = (relative > 2.9e-4).all() and (relative < 1.05e-3).all()
        rounded = bfloat16(biased - biases) + biases, bfloat16(biased)
        flipped = [(chosen(scores, k) != order[:, :k]).any(axis=-1)[:-1].all() for scores in rounded]
        others = (gaps[:, :-1] > clear).all() and gaps[-1, -1] > 10 * clear and roomy_margin(biased, k)
        return bool(near and all(flipped) and others)

    seed, tensors = first_seed(start, lambda seed: near_tie_tensors(seed, shape, k, bias), accept)
    return router_case(name, seed, tensors, k, route_scale, description, boundary="near")


def tie_cases() -> list[Case]:
    rule = "equal scores go by lower index; shows the higher index or an unstable sort"
    flips = "gaps are 3e-4 to 1e-3 of the best score, far above float32 noise; shows scores rounded to bfloat16"
    return [
        tied_router("tiny/router-tie-at-boundary", 3201000, [0, 1, 2, 0, 3, 1, 2, 4], 3, "tied",
                    f"Pairs of equal experts at the last place; {rule}."),
        tied_router("tiny/router-tie-inside", 3202000, [0, 1, 2, 0, 3, 1, 2, 4], 4, "clear",
                    f"Pairs of equal experts inside the selection; {rule}."),
        tied_router("tiny/router-tie-groups", 3203000, [0, 1, 0, 0, 1, 0, 1, 0], 3, "tied",
                    f"Two groups of 5 and 3 equal experts, 3 chosen; {rule}.", tokens=3),
        tied_router("odd/router-tie-at-boundary", 3204000, [0, 1, 2, 3, 0, 4, 2, 1, 2, 3, 1], 5, "tied",
                    f"Eleven experts in groups of up to three, 5 chosen; {rule}.", tokens=3),
        near_tie_router("tiny/router-near-tie", 3211000, (4, 5, 8), 2, 1.5, 0.0, f"Near ties without bias: {flips}."),
        near_tie_router("odd/router-near-tie", 3212000, (4, 5, 7), 3, 0.7, 0.3, f"Near ties with biases: {flips}."),
        near_tie_router("published/router-flash-near-tie", 3213000, (4, 64, 256), 6, 1.5, 0.1,
                        f"Flash's router near ties: {flips}."),
    ]  # fmt: skip


def routing_cases() -> list[Case]:
    return affinity_cases() + router_cases() + tie_cases()
