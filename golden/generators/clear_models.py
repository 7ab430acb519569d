"""Searches seeds for whole-model cases: selections have to be clear in every layer, roundings in `simulated` numerics.

    python golden/generators/clear_models.py GLOB

prints for each matching case the first seed from its own on that will do.

In `deployed` numerics few roundings go another way in float32, but one that does can reach far. There, seeds also have
to be such that more float32 runs than the build makes stay well within the tolerance.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch

import numpy as np

from agreement import PERMUTATIONS, Expected, distance, judge_of, run_b, scale_of
from case import MARGIN_FLOOR, Array, Case, Tensors
from cases_model import model_cases, with_seed
from cases_mtp import mtp_cases
from checkpoint_numpy import checkpoint
from model_numpy import MODEL, Model
from precision_numpy import Simulated, arithmetic_of

ORDER_FLOOR = 2e-5  # of gaps between selected scores, which decide their order only
DEPLOYED_FLOOR = 3e-2  # of both kinds: BF16 roundings of a float32 path flip
ROUNDING_FLOOR = 5e-6
ROOM = 0.05  # the largest margin is a share of its scale at least as large: its tolerance comes from that
MORE_RUNS = range(9, 49)
ATTEMPTS = 20_000


@dataclass(frozen=True)
class Watched(Model):
    """A model that remembers how close its choices were, as shares of the largest score of a layer."""

    boundaries: list[Array] = field(default_factory=list)
    orders: list[Array] = field(default_factory=list)

    def watch(self, scores: Array, k: int) -> None:
        """Gaps at the boundary of a selection, and between selected scores. scores [T,N], -infinity: not visible"""
        highest = -np.sort(-scores, axis=-1)[:, : k + 1]
        if highest.shape[1] < 2:
            return
        seen = np.isfinite(highest[:, 1:])
        gaps = np.where(seen, highest[:, :-1], 1) - np.where(seen, highest[:, 1:], 0)
        gaps = np.where(seen, gaps / np.abs(scores[np.isfinite(scores)]).max(initial=0), np.inf)
        self.orders.append(gaps[:, : k - 1].ravel())
        self.boundaries.append(gaps[:, k - 1 :].ravel())

    def attention(self, prefix: str, ratio: int, x: Array) -> Tensors:
        part = super().attention(prefix, ratio, x)
        if "index_scores" in part:
            self.watch(part["index_scores"], self.config["index_topk"])
        return part

    def mixture(self, prefix: str, hashed: bool, x: Array, token_ids: Array) -> Tensors:
        part = super().mixture(prefix, hashed, x, token_ids)
        if "selection_scores" in part:
            self.watch(part["selection_scores"], self.config["num_experts_per_tok"])
        return part

    def clear(self, boundary_floor: float, order_floor: float) -> bool:
        """Whether all gaps are wide, and in every layer that rejects anything some margin is large."""
        wide = all(gaps.min(initial=np.inf) > order_floor for gaps in self.orders)
        wide &= all(gaps.min(initial=np.inf) > boundary_floor for gaps in self.boundaries)
        finite = [gaps[np.isfinite(gaps)] for gaps in self.boundaries]
        return wide and all(gaps.max() > ROOM for gaps in finite if gaps.size)


def errors(case: Case, truth: Tensors, seeds: Iterable[int | None]) -> dict[str, float]:
    """The largest errors of float32 runs, by tensor."""
    worst: dict[str, float] = {}
    for seed in seeds:
        for name, result in run_b(case, np.float32, seed).items():
            error = distance(judge_of(case, name, truth), truth[name], result, name)
            worst[name] = max(error, worst.get(name, 0.0))
    return worst


def settled(case: Case) -> bool:
    """Whether more float32 runs stay within half of the tolerance that those of the build give."""
    truth = {name: x for name, x in run_b(case).items() if not name.startswith("_")}
    few, more = errors(case, truth, (None, *PERMUTATIONS)), errors(case, truth, MORE_RUNS)
    for name, value in truth.items():
        judge = judge_of(case, name, truth)
        expected = Expected(value, judge, scale_of(judge, value), spreads={"float32": few[name]})
        if judge == "absolute" and more[name] > expected.tolerance()["float"] / 2:
            return False
    return True


def acceptable(case: Case) -> bool:
    """Whether oracle B finds all choices clear, and with `simulated` numerics all roundings."""
    config, numerics = json.loads(case.parameters["config"]), case.parameters["numerics"]
    arithmetic = arithmetic_of(numerics, np.float64, None)
    weights = checkpoint(config, case.parameters["weights_seed"], case.parameters["weight_format"])
    model = Watched(arithmetic, config, arithmetic.tensors(weights), case.parameters["angles"])
    MODEL[case.operation](model, case.inputs["token_ids"])
    if numerics == "deployed":
        return model.clear(DEPLOYED_FLOOR, DEPLOYED_FLOOR) and settled(case)
    if isinstance(arithmetic, Simulated) and not min(arithmetic.clearances) > ROUNDING_FLOOR:
        return False
    return model.clear(MARGIN_FLOOR, ORDER_FLOOR)


def first_seed(case: Case) -> int:
    for seed in range(case.seed, case.seed + ATTEMPTS):
        if acceptable(with_seed(case, seed)):
            return seed
    raise ValueError(f"{case.id}: no seed from {case.seed} on will do")


def main() -> None:
    pattern = sys.argv[1] if len(sys.argv) > 1 else "*"
    for case in model_cases() + mtp_cases():
        if case.expected_error is None and fnmatch(case.id, pattern):
            print(f"{case.id}: {case.seed} -> {first_seed(case)}", flush=True)


if __name__ == "__main__":
    main()
