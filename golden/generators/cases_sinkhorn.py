"""Cases of component `hyper-connections` (report 2.2): the Sinkhorn-Knopp iteration, as released and as in equation 8.

Axes: T tokens, n streams.

What separates the known mistakes: at logit scale 1 and 20 iterations the public variants differ by 1e-5, so most cases
have scale 4 or more, few iterations, or an epsilon of 1e-2.
"""

import numpy as np

from case import Array, Case, case_id, eighths, normal

COMPONENT = "hyper-connections"
SINKHORN = ("eq-2", "eq-8")


def sinkhorn_case(name: str, logits: Array, seed: int, iterations: int, epsilon: float, description: str) -> Case:
    """The released iteration on combination_logits [T,n,n]."""
    return Case(
        id=case_id(COMPONENT, name),
        operation="sinkhorn",
        description=description,
        equations=SINKHORN,
        seed=seed,
        parameters={"iterations": iterations, "epsilon": epsilon},
        inputs={"combination_logits": logits},
    )


def equation_8_case(pair: Case, name: str, description: str) -> Case:
    """Equation (8) on the transposed logits of a sinkhorn case: B~ = comb~ transposed, hence B = comb transposed."""
    logits = np.ascontiguousarray(pair.inputs["combination_logits"].swapaxes(-2, -1))
    return Case(
        id=case_id(COMPONENT, name),
        operation="equation-8",
        description=description,
        equations=SINKHORN,
        seed=pair.seed,
        parameters={"iterations": pair.parameters["iterations"]},
        inputs={"residual_logits": logits},
    )


def saturated(seed: int, tokens: int, n: int, size: float) -> Array:
    """Logits of `size` with random signs and a little noise, so that every softmax row is near 0 and 1."""
    rng = np.random.default_rng(seed)
    return rng.choice([-size, size], size=(tokens, n, n)).astype(np.float32) + normal(rng, tokens, n, n)


def sinkhorn_grid() -> list[Case]:
    """Four streams over scale, iterations and epsilon; one line a case: name, seed, scale, iterations, epsilon."""
    order = "shows a start from exp or sigmoid, columns before rows, and an iteration too many"
    start = "shows epsilon left out of the start, 1e-5 in its place, and a clamp instead of a sum"
    small = "shows epsilon left out of the start or of the column sums, 1e-5 in its place, and a clamp instead of a sum"
    large = "shows every misplaced epsilon: in the start, in a row sum, in a column sum, or as a clamp"
    alone = "here epsilon is what matters: shows it left out of the start or of the column sums, or as a clamp"
    same = "at this scale ordinary variants nearly agree, so it shows gross mistakes only"
    grid = [
        ("tiny/sinkhorn-scale-4-iterations-1", 2101, 4, 1, 1e-6, order),
        ("tiny/sinkhorn-scale-10-iterations-2", 2102, 10, 2, 1e-6, small),
        ("tiny/sinkhorn-scale-1-iterations-3", 2103, 1, 3, 1e-6, order),
        ("tiny/sinkhorn-scale-4-iterations-3", 2104, 4, 3, 1e-6, order),
        ("odd/sinkhorn-scale-tenth-large-epsilon", 2105, 0.1, 20, 1e-2, alone),
        ("odd/sinkhorn-scale-1-large-epsilon", 2106, 1, 2, 1e-2, large),
        ("odd/sinkhorn-scale-4-large-epsilon", 2107, 4, 20, 1e-2, large),
        ("published/sinkhorn-scale-tenth", 2108, 0.1, 20, 1e-6, same),
        ("published/sinkhorn-scale-1", 2109, 1, 20, 1e-6, same),
        ("published/sinkhorn-scale-4", 2110, 4, 20, 1e-6, start),
        ("published/sinkhorn-scale-10", 2111, 10, 20, 1e-6, small),
    ]
    cases = []
    for name, seed, scale, iterations, epsilon, mistake in grid:
        tokens = 16 if name.startswith("published") else 5
        logits = normal(np.random.default_rng(seed), tokens, 4, 4, scale=scale)
        content = f"Four streams, logits of scale {scale}, {iterations} iteration{'s' * (iterations > 1)}"
        description = f"{content}, epsilon {epsilon:g}; {mistake}."
        cases.append(sinkhorn_case(name, logits, seed, iterations, epsilon, description))
    return cases


def sinkhorn_special() -> list[Case]:
    """Other numbers of streams, an epsilon of 0 and saturated logits."""

    def logits(seed: int, tokens: int, n: int, scale: float) -> Array:
        return normal(np.random.default_rng(seed), tokens, n, n, scale=scale)

    by_eye = eighths(np.random.default_rng(2120), 1, 2, 2, largest=24)
    both = np.concatenate([saturated(2127, 6, 4, 60), saturated(2128, 3, 4, 100)])
    return [
        sinkhorn_case("tiny/sinkhorn-two-streams", by_eye, 2120, 2, 1e-2,
                      "One 2 x 2 matrix of eighths, 2 iterations, epsilon 1e-2, to follow by hand; "
                      "shows any other order of softmax, epsilon, columns and rows."),
        sinkhorn_case("tiny/sinkhorn-one-stream", logits(2121, 3, 1, 4), 2121, 3, 1e-2,
                      "A single stream, where the logit plays no part and only epsilon moves the result away from 1; "
                      "shows a missing epsilon in its purest form."),
        sinkhorn_case("odd/sinkhorn-three-streams", logits(2122, 5, 3, 4), 2122, 3, 1e-2,
                      "Three streams, scale 4, 3 iterations, epsilon 1e-2; shows a hard-coded number of streams and "
                      "every order of rows, columns and epsilon but the right one."),
        sinkhorn_case("odd/sinkhorn-one-iteration", logits(2123, 5, 3, 4), 2123, 1, 1e-2,
                      "Three streams after the first iteration alone: row softmax + epsilon, then columns; "
                      "shows an iteration counted before or after the start."),
        sinkhorn_case("odd/sinkhorn-eight-streams", logits(2124, 3, 8, 10), 2124, 2, 1e-2,
                      "Eight streams, scale 10, 2 iterations; shows kernels written for 4 x 4 matrices."),
        sinkhorn_case("odd/sinkhorn-zero-epsilon", logits(2125, 5, 3, 4), 2125, 3, 0.0,
                      "Epsilon 0, where the released order is the transpose of equation 8 exactly; "
                      "shows a wrong order that a large epsilon could be blamed for."),
        sinkhorn_case("published/sinkhorn-saturated", both, 2127, 20, 1e-6,
                      "Logits of about +-60 and +-100, so that softmax rows are 0 and 1; shows exp without the row "
                      "maximum, which overflows, and epsilon left out, which divides 0 by 0."),
    ]  # fmt: skip


def low_logits() -> Case:
    """Equation (8) by itself: logits near -12 make M(0) as small as an epsilon of 1e-6 would be."""
    rng = np.random.default_rng(2131)
    columns = rng.uniform(-14, -10, size=(5, 1, 3))
    return Case(
        id=case_id(COMPONENT, "odd/equation-8-low-logits"),
        operation="equation-8",
        description="Logits near -12 with columns of unequal size, 2 iterations; "
        "shows an epsilon of 1e-6 in a denominator or in the start, where the report has none.",
        equations=SINKHORN,
        seed=2131,
        parameters={"iterations": 2},
        inputs={"residual_logits": (columns + rng.standard_normal((5, 3, 3))).astype(np.float32)},
    )


def equation_8_cases(sinkhorns: list[Case]) -> list[Case]:
    """The report's iteration: on the transposed logits of stored sinkhorn cases, and once on logits of its own."""
    pairs = {case.id: case for case in sinkhorns}

    def case(name: str, pair: str, mistake: str) -> Case:
        short = pair.split("/")[1]
        description = f"The transposed logits of {short} under equation 8, columns first and no epsilon; {mistake}."
        return equation_8_case(pairs[case_id(COMPONENT, pair)], name, description)

    return [
        low_logits(),
        case("tiny/equation-8-iterations-3", "tiny/sinkhorn-scale-1-iterations-3", "shows rows before columns"),
        case("tiny/equation-8-two-streams", "tiny/sinkhorn-two-streams",
             "small enough to follow by hand; shows rows before columns"),
        case("tiny/equation-8-iterations-1", "tiny/sinkhorn-scale-4-iterations-1",
             "shows an iteration too many and rows before columns"),
        case("odd/equation-8-three-streams", "odd/sinkhorn-zero-epsilon",
             "shows a missing transpose: the result is the transpose of that case exactly"),
        case("published/equation-8-scale-1", "published/sinkhorn-scale-1",
             "agrees with that case to 1e-5 after transposition, so it shows a missing transpose"),
        case("published/equation-8-scale-4", "published/sinkhorn-scale-4",
             "parts from that case by about 0.1, which is what epsilon 1e-6 does in the released order"),
    ]  # fmt: skip


def sinkhorn_cases() -> list[Case]:
    sinkhorns = sinkhorn_grid() + sinkhorn_special()
    return sinkhorns + equation_8_cases(sinkhorns)
