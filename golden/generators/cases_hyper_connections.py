"""Cases of component `hyper-connections` (report 2.2): the start of the streams, sites and heads.

Axes: T tokens, n streams, d model width, M = (2+n)n mixes.

Streams differ from each other in size and content, except where all of them being equal is the point. Logits of comb
have scale 4 and few iterations follow, so that the order of the Sinkhorn steps shows.
"""

import numpy as np

from case import Array, Case, bfloat16, case_id, coarse, eighths, normal
from cases_sinkhorn import COMPONENT, sinkhorn_cases

SITE = ("eq-1", "eq-3", "eq-4", "eq-5", "eq-6", "eq-7", "eq-8", "2.2-norm")
HEAD = ("2.2-head", "2.2-norm")


# Streams at the start


def expand_case(name: str, seed: int, tokens: int, streams: int, width: int, description: str) -> Case:
    """embedding [T,d] -> n equal streams."""
    embedding = normal(np.random.default_rng(seed), tokens, width)
    return Case(
        id=case_id(COMPONENT, name),
        operation="expand",
        description=description,
        equations=("2.2-expand",),
        seed=seed,
        parameters={"streams": streams},
        inputs={"embedding": bfloat16(embedding) if width > 1000 else embedding},
    )


def expand_cases() -> list[Case]:
    mistake = "shows zeros or division by n instead of copies, and copies along the wrong axis."
    return [
        expand_case("tiny/expand", 2001, 1, 2, 3, f"One token of width 3 into 2 streams; {mistake}"),
        expand_case("tiny/expand-four-streams", 2002, 3, 4, 5, f"Three tokens into the released 4 streams; {mistake}"),
        expand_case("odd/expand", 2003, 5, 3, 7, f"Five tokens of width 7 into 3 streams; {mistake}"),
        expand_case(
            "published/expand-flash", 2004, 1, 4, 4096, f"One token of Flash's width into 4 streams; {mistake}"
        ),
    ]


# Sites and heads


def unequal_streams(rng: np.random.Generator, tokens: int, n: int, width: int, rms: float) -> Array:
    """Streams of different size (0.5 to 1.5 times `rms`), so that exchanging or averaging them shows."""
    sizes = np.linspace(0.5, 1.5, n) if n > 1 else np.ones(1)
    return (rms * sizes[:, None] * rng.standard_normal((tokens, n, width))).astype(np.float32)


def projection_of(rng: np.random.Generator, rows: int, columns: int, step: float | None) -> Array:
    """Rows that give mixes of about 1; multiples of `step` where there is one, for published widths."""
    return coarse(rng, rows, columns, step=step) if step else normal(rng, rows, columns, scale=columns**-0.5)


def site_case(
    name: str, seed: int, shape: tuple[int, int, int], parameters: tuple[int, float, float], description: str, *,
    scale: tuple[float, float, float] = (0.75, 1.25, 4.0), rms: float = 1.0, equal: bool = False,
    gate_base: float | None = None, by_eye: bool = False, step: float | None = None,
) -> Case:  # fmt: skip
    """A site of T, n, d = `shape` with iterations, epsilon, norm_epsilon = `parameters`.

    `equal` makes all streams one embedding; `gate_base` puts every pre and post base near that value; `step` is for
    published widths: a coarse projection and bfloat16 streams, which compress.
    """
    rng = np.random.default_rng(seed)
    tokens, n, width = shape
    mixes = (2 + n) * n
    if by_eye:
        streams, projection = eighths(rng, tokens, n, width), eighths(rng, mixes, n * width, largest=6)
        layer_output, base = eighths(rng, tokens, width), eighths(rng, mixes, largest=8)
    else:
        streams = unequal_streams(rng, tokens, n, width, rms)
        projection = projection_of(rng, mixes, n * width, step)
        layer_output, base = normal(rng, tokens, width, scale=rms), normal(rng, mixes)
    if equal:
        streams = np.repeat(streams[:, :1], n, axis=1)
    if gate_base is not None:
        base[: 2 * n] = gate_base + 0.5 * base[: 2 * n]
    if step:
        streams, layer_output = bfloat16(streams), bfloat16(layer_output)
    iterations, epsilon, norm_epsilon = parameters
    return Case(
        id=case_id(COMPONENT, name),
        operation="site",
        description=description,
        equations=SITE,
        seed=seed,
        parameters={"iterations": iterations, "epsilon": epsilon, "norm_epsilon": norm_epsilon},
        inputs={"streams": streams, "layer_output": layer_output},
        weights={"projection": projection, "base": base, "scale": np.array(scale, dtype=np.float32)},
    )


def site_cases() -> list[Case]:
    released, odd = (20, 1e-6, 1e-6), (3, 1e-2, 1e-3)
    few = (2, 1e-6, 1e-6)
    return [
        site_case("tiny/site", 2201, (1, 2, 3), few,
                  "One token, 2 streams of width 3, all numbers eighths, to follow by hand; shows comb used "
                  "untransposed, post without its factor 2, and pre, comb, post taken in another order.", by_eye=True),
        site_case("tiny/site-four-streams", 2202, (3, 4, 5), few,
                  "The released 4 streams with 2 iterations and comb logits of scale 4; shows comb used untransposed, "
                  "comb read column by column, and scale entries or base read in another order."),
        site_case("tiny/site-twenty-iterations", 2203, (3, 4, 5), released,
                  "The released 20 iterations on a narrow model with comb logits of scale 5; shows columns before "
                  "rows, an iteration too many or too few, and epsilon left out of the iteration.",
                  scale=(0.75, 1.25, 5.0)),
        site_case("tiny/site-first-layer", 2204, (3, 4, 5), few,
                  "All streams equal, as at the first site of a model: an untransposed comb shows only by its row "
                  "sums, which 2 iterations leave far from 1.", equal=True, scale=(0.75, 1.25, 6.0)),
        site_case("tiny/site-one-stream", 2205, (3, 1, 5), (3, 1e-2, 1e-6),
                  "A single stream: comb is one number moved from 1 by epsilon alone; "
                  "shows pre without epsilon and post with one."),
        site_case("tiny/site-small-streams", 2206, (3, 4, 5), few,
                  "Streams of rms 1e-3, where norm epsilon 1e-6 is as large as the mean square; "
                  "shows norm epsilon left out, outside the root, or 1e-20.", rms=1e-3),
        site_case("tiny/site-closed-gates", 2207, (3, 4, 5), few,
                  "Pre and post bases near -14, so that epsilon 1e-6 weighs in pre and post stays below 2e-5; "
                  "shows pre without epsilon and post with it.", gate_base=-14.0),
        site_case("odd/site", 2211, (5, 3, 7), odd,
                  "Every axis of another size, epsilon 1e-2, norm epsilon 1e-3, 3 iterations; "
                  "shows exchanged axes, exchanged epsilons and every variant of the iteration.", rms=0.05),
        site_case("odd/site-eight-streams", 2212, (2, 8, 5), odd,
                  "Eight streams, 80 mixes; shows sizes fixed at 4 streams and 24 mixes.", rms=0.5),
        site_case("odd/site-exchanged-epsilons", 2213, (5, 3, 7), (3, 1e-3, 1e-2),
                  "Epsilon 1e-3 and norm epsilon 1e-2 on streams of rms 0.03; shows the two taken for each other.",
                  rms=0.03),
        site_case("odd/site-saturated", 2214, (5, 3, 7), odd,
                  "Scales of 30, so that gates are 0 or 1 and softmax rows are one-hot; "
                  "shows overflow in exp and epsilon left out of pre.", scale=(30.0, 25.0, 40.0)),
        site_case("odd/site-unequal-scales", 2215, (5, 3, 7), odd,
                  "Scale entries 0.25, 8 and -3, and mixes far from 0; shows one scale used for all three parts "
                  "and any other order of pre, post and comb.", scale=(0.25, 8.0, -3.0)),
        site_case("published/site-flash", 2221, (2, 4, 4096), released,
                  "Flash's width 4096 with 4 streams, 20 iterations and epsilon 1e-6; shows sums in low precision, a "
                  "per-stream norm and an untransposed comb at full size.", step=2.0**-9),
        site_case("published/site-pro", 2222, (1, 4, 7168), released,
                  "Pro's width 7168 with 4 streams, 20 iterations and epsilon 1e-6; shows sizes fixed for Flash.",
                  step=2.0**-9),
    ]  # fmt: skip


def head_case(
    name: str, seed: int, shape: tuple[int, int, int], parameters: tuple[float, float], description: str, *,
    scale: float = 1.5, rms: float = 1.0, gate_base: float | None = None, by_eye: bool = False,
    step: float | None = None,
) -> Case:  # fmt: skip
    """The collapse of T, n, d = `shape` streams with epsilon, norm_epsilon = `parameters`."""
    rng = np.random.default_rng(seed)
    tokens, n, width = shape
    if by_eye:
        streams, projection = eighths(rng, tokens, n, width), eighths(rng, n, n * width, largest=6)
        base = eighths(rng, n, largest=8)
    else:
        streams = unequal_streams(rng, tokens, n, width, rms)
        projection = projection_of(rng, n, n * width, step)
        base = normal(rng, n)
    if gate_base is not None:
        base = gate_base + np.float32(0.5) * base
    return Case(
        id=case_id(COMPONENT, name),
        operation="head",
        description=description,
        equations=HEAD,
        seed=seed,
        parameters={"epsilon": parameters[0], "norm_epsilon": parameters[1]},
        inputs={"streams": bfloat16(streams) if step else streams},
        weights={
            "projection": projection,
            "base": base.astype(np.float32),
            "scale": np.array([scale], dtype=np.float32),
        },
    )


def head_cases() -> list[Case]:
    missing = "shows a mean, a sum or the first stream taken instead"
    return [
        head_case("tiny/head", 2309, (1, 2, 3), (1e-2, 1e-6),
                  f"One token, 2 streams of width 3, all numbers eighths, epsilon 1e-2; {missing}.", by_eye=True),
        head_case("tiny/head-four-streams", 2302, (3, 4, 5), (1e-6, 1e-6),
                  "The released 4 streams and epsilon 1e-6; shows softmax or Sinkhorn gates and a factor 2 as in "
                  "post."),
        head_case("tiny/head-small-streams", 2303, (3, 4, 5), (1e-6, 1e-6),
                  "Streams of rms 1e-3, where norm epsilon 1e-6 is as large as the mean square; "
                  "shows norm epsilon left out or outside the root.", rms=1e-3),
        head_case("tiny/head-closed-gates", 2304, (3, 4, 5), (1e-6, 1e-6),
                  "Bases near -14, so that epsilon 1e-6 weighs in every gate; shows a head without epsilon.",
                  gate_base=-14.0),
        head_case("tiny/head-one-stream", 2305, (3, 1, 5), (1e-6, 1e-6),
                  "A single stream, still gated; shows a head that is skipped when there is nothing to collapse."),
        head_case("odd/head", 2311, (5, 3, 7), (1e-2, 1e-3),
                  "Every axis of another size, epsilon 1e-2, norm epsilon 1e-3 on streams of rms 0.05; "
                  "shows exchanged axes and exchanged epsilons.", rms=0.05),
        head_case("odd/head-eight-streams", 2312, (2, 8, 5), (1e-2, 1e-3),
                  f"Eight streams; shows a head fixed at 4 streams, and {missing.removeprefix('shows ')}.", scale=4.0),
        head_case("published/head-flash", 2321, (3, 4, 4096), (1e-6, 1e-6),
                  "Flash's width 4096 and 4 streams; shows sums in low precision and a per-stream norm.", step=2.0**-9),
        head_case("published/head-pro", 2322, (2, 4, 7168), (1e-6, 1e-6),
                  "Pro's width 7168 and 4 streams; shows sizes fixed for Flash.", step=2.0**-10),
    ]  # fmt: skip


def hyper_connection_cases() -> list[Case]:
    return expand_cases() + sinkhorn_cases() + site_cases() + head_cases()
