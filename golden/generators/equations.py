"""The equations of the report that the golden cases cover, and the unnumbered steps of the released model.

`eq-1` to `eq-8` carry the report's own numbers. The others have none there; their ids start with the section.
"""

from typing import NamedTuple


class Equation(NamedTuple):
    """One entry of the registry: an id that cases cite, the report's section, and what the equation says."""

    id: str
    section: str
    title: str


EQUATIONS = [
    Equation("eq-1", "2.2", "state update: next streams = B X + C F(A X)"),
    Equation("eq-2", "2.2", "doubly stochastic constraint on B"),
    Equation("eq-3", "2.2", "pre mixes: A~ from the normalised streams"),
    Equation("eq-4", "2.2", "residual mixes: B~ from the normalised streams"),
    Equation("eq-5", "2.2", "post mixes: C~ from the normalised streams"),
    Equation("eq-6", "2.2", "A = sigmoid(A~), as released with an added epsilon"),
    Equation("eq-7", "2.2", "C = 2 sigmoid(C~)"),
    Equation("eq-8", "2.2", "Sinkhorn-Knopp iteration from B~ to B"),
    Equation("2.2-norm", "2.2", "RMS normalisation of the flattened streams"),
    Equation("2.2-expand", "2.2", "streams start as copies of the embedding"),
    Equation("2.2-head", "2.2", "collapse of the streams after the last layer (released code)"),
    Equation("2.1-affinity", "2.1", "affinity: sqrt(softplus(logit))"),
    Equation("2.1-selection", "2.1", "top-k experts by affinity + bias"),
    Equation("2.1-weights", "2.1", "slot weights: selected affinities over their sum, times the route scale"),
    Equation("2.1-hash", "2.1", "hash routing: experts from a table by token id"),
    Equation("2.1-expert", "2.1", "one expert: down(weight silu(gate x) (up x))"),
    Equation("2.1-clamp", "2.1", "clamp of an expert: gate capped above, up clipped on both sides"),
    Equation("2.1-shared-expert", "2.1", "shared expert: same clamp, weight 1"),
    Equation("2.1-mixture", "2.1", "mixture: routed slots plus the shared expert"),
]

EQUATION_IDS = frozenset(equation.id for equation in EQUATIONS)
