"""The measured table of docs/deviations.md: what a difference does to the logits of a golden case, in float64.

Each difference is planted as a known bug (`v4-oracle engine --bug`), and the case run with it.
"""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache

import h5py
import numpy as np

from checks.repository import NotPossible, Repository

PAGE = "docs/deviations.md"
MARK = re.compile(r"(<!-- measured -->\n).*?(<!-- end of measured -->)", re.DOTALL)
ODD, RELEASED = "odd/language-model/prefill-23", "published/language-model/prefill-133"
SIMULATED = "tiny/language-model/simulated-wide-8"
AGREEMENT = 0.1  # how far a stored number may be from a measured one, as a share: they have two digits
DIFFERENCES = (
    ("eq. (6) without ε, as in the report", "mhc-pre-eps-missing", (ODD, RELEASED)),
    ("eq. (8) without the ε of the start", "mhc-sinkhorn-no-start-eps", (ODD, RELEASED)),
    ("eq. (8) without the ε of the sums", "mhc-sinkhorn-no-sum-eps", (ODD, RELEASED)),
    ("eq. (4) with comb as B, and not combᵀ", "mhc-comb-transposed", (ODD, RELEASED)),
    ("eq. (11) with a and b exchanged", "compressor-overlap-halves-swapped", (ODD, RELEASED)),
    ("eq. (13) without the norm", "q-latent-norm-missing", (ODD, RELEASED)),
    ("eq. (16) with s < ⌊t/m⌋, t from 0", "pool-visibility-one-less", (ODD, RELEASED)),
    ("eq. (16) unscaled, as in the report", "indexer-weights-not-scaled", (ODD, RELEASED)),
    ("no Hadamard transform, as in `transformers`", "indexer-hadamard-dead-flag", (ODD, RELEASED)),
    ("an entry rotated at the last token of its block", "rope-pool-last-token", (ODD, RELEASED)),
    ("θ of the sliding layers for queries and window of all", "rope-main-theta-on-compressed-layers", (ODD, RELEASED)),
    ("no YaRN", "yarn-missing-on-compressed-layers", (ODD, RELEASED)),
    ("cos and sin times 0.1 ln(factor) + 1", "yarn-mscale-on-cos-sin", (ODD, RELEASED)),
    ("shared expert not clamped, as in revision A", "swiglu-clamp-missing-shared", (ODD, RELEASED)),
    ("slot weight after the down projection, as in `transformers`", "expert-weight-after-down", (ODD, RELEASED)),
    ("entries not rounded to FP8, as in revision A", "ref-act-quant-without-fp8-rounding", (SIMULATED,)),
)


@cache
def effect(oracle: str, golden: str, bug: str, case: str) -> tuple[float, float, bool]:
    """The largest change of a logit of a case with a bug, the largest logit, whether the change is above tolerance."""
    engine = f"exec {shlex.quote(oracle)} engine --precision double --bug {bug}"
    command = [oracle, "conform", "--engine", engine, "--golden", golden, "--filter", case, "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode == 2:
        raise NotPossible(f"{bug} cannot be measured: {done.stderr.strip()}")
    result = next((entry for entry in json.loads(done.stdout)["results"] if entry["id"] == case), None)
    logits = next((entry for entry in (result or {}).get("comparisons", []) if entry["tensor"] == "logits"), None)
    if logits is None or not isinstance(logits["error"], (int, float)):
        raise NotPossible(f"{bug} has no logits in {case}")
    with h5py.File(f"{golden}/vectors/{case}.h5") as file:
        scale = float(np.abs(file["expected/logits"][()]).max())
    return float(logits["error"]), scale, logits["multiple"] > 1


def table(repository: Repository) -> str:
    """The measured rows."""
    golden = str(repository.root / "golden")
    lines = [
        "| difference | planted as | in case | largest logit | largest change |",
        "| --- | --- | --- | ---: | ---: |",
    ]
    for text, bug, cases in DIFFERENCES:
        for case in cases:
            error, scale, visible = effect(repository.oracle, golden, bug, case)
            change = f"{error:.2g}" if visible else "none"
            lines.append(f"| {text} | `{bug}` | `{case}` | {scale:.2g} | {change} |")
    return "\n".join(lines)


def written(repository: Repository) -> str:
    """The page with what was measured now."""
    return MARK.sub(lambda match: match[1] + "\n" + table(repository) + "\n\n" + match[2], repository.page(PAGE).text)


def deviation_faults(repository: Repository) -> Iterator[str]:
    """Rows that are missing, left over, or far from what is measured."""
    stored = MARK.search(repository.page(PAGE).text)
    if stored is None:
        yield f"{PAGE}: the measured table is missing"
        return
    now, before = table(repository).splitlines(), stored[0].split("\n", 2)[2].rsplit("\n\n", 1)[0].splitlines()
    if len(now) != len(before):
        yield f"{PAGE}: {len(before)} measured rows are stored, and {len(now)} measured; `make write-docs` writes them"
    for new, old in zip(now, before):
        (text, *_, change), (kept, *_, stored_change) = _parts(new), _parts(old)
        if text != kept or not _near(change, stored_change):
            yield f"{PAGE}: measured now: {new}; stored: {old}; `make write-docs` writes it"


def _parts(row: str) -> tuple[str, str]:
    """A row without its last number, and that number."""
    head, _, last = row.removesuffix(" |").rpartition(" | ")
    return head, last


def _near(a: str, b: str) -> bool:
    """Whether two numbers of two digits are the same but for rounding."""
    try:
        return abs(float(a) - float(b)) <= AGREEMENT * float(a)
    except ValueError:
        return a == b
