"""Cases of operation `attention` with speculation: drafts that are fed between the tokens and taken back again.

A negative chunk feeds so many rows of `drafts` in one call, after which the state has to be as if they had never been
seen. The expected values are those of the tokens alone.
"""

from dataclasses import replace

import numpy as np

from cases_attention import KINDS, attention_case, varied
from case import Case

# Widths 1 to 9, from positions inside blocks and at their ends, some right after one another.
PATTERNS = {
    "narrow": ([5, -1, 1, -2, 2, -3, 1, -4, 4, -4, -2, 3], "Drafts of 1 to 4 tokens"),
    "wide": ([5, -5, 1, -6, 4, -9, 1, -7, 3, -8, 2], "Drafts of 5 to 9 tokens, wider than a block of 4"),
    "single-steps": ([1, -1, 1, -2, 1, -3, 1, -5, 1, -6, 1, -7, 1, -8, 1, -9, 1, 1, 1, 1], "Drafts before single tokens"),
}
SHOWN = (
    "shows rejected tokens that stay in the window, in the unfinished block or in its overlap, and accepted ones that "
    "are lost"
)


def speculation_cases() -> list[Case]:
    """Each kind of layer with each pattern, at a window of 8."""
    cases = []
    for place, (kind, layer) in enumerate(KINDS.items()):
        for number, (name, (chunks, text)) in enumerate(PATTERNS.items()):
            seed = 6600 + 20 * place + number
            tokens = [chunk for chunk in chunks if chunk > 0]
            case = attention_case(
                f"tiny/{kind}-drafts-{name}", seed, varied(replace(layer, window=8), place + number), tokens,
                f"{text}, fed and taken back; {SHOWN}.",
            )  # fmt: skip
            drafts = np.random.default_rng(seed + 10_000).standard_normal((-sum(c for c in chunks if c < 0), layer.width))
            inputs = case.inputs | {"chunks": np.array(chunks, dtype=np.int64), "drafts": drafts.astype(np.float32)}
            cases.append(replace(case, inputs=inputs))
    return cases
