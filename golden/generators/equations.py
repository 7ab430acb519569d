"""The equations of the report that the golden cases cover, and the unnumbered steps of the released model.

`eq-1` to `eq-27` carry the report's own numbers. The others have none there; their ids start with the section.
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
    Equation("2.2-block", "2.2", "order of a block: attention site, expert site; and of the blocks of a model"),
    Equation("2.1-affinity", "2.1", "affinity: sqrt(softplus(logit))"),
    Equation("2.1-selection", "2.1", "top-k experts by affinity + bias"),
    Equation("2.1-weights", "2.1", "slot weights: selected affinities over their sum, times the route scale"),
    Equation("2.1-hash", "2.1", "hash routing: experts from a table by token id"),
    Equation("2.1-expert", "2.1", "one expert: down(weight silu(gate x) (up x))"),
    Equation("2.1-clamp", "2.1", "clamp of an expert: gate capped above, up clipped on both sides"),
    Equation("2.1-shared-expert", "2.1", "shared expert: same clamp, weight 1"),
    Equation("2.1-mixture", "2.1", "mixture: routed slots plus the shared expert"),
    Equation("2.1-mtp", "2.1", "multi-token prediction: both projections, a block, its own head, the shared LM head"),
    Equation("eq-9", "2.3.1", "CSA: kv entries of both streams, C^a and C^b"),
    Equation("eq-10", "2.3.1", "CSA: compression scores of both streams, Z^a and Z^b"),
    Equation("eq-11", "2.3.1", "CSA: softmax per channel over the 2m rows of two blocks, with position biases"),
    Equation("eq-12", "2.3.1", "CSA: compressed entry, the weighted sum over this block and the previous one"),
    Equation("eq-13", "2.3.1", "query latent, as released with an RMS norm"),
    Equation("eq-14", "2.3.1", "indexer queries from the query latent"),
    Equation("eq-15", "2.3.1", "indexer head weights from the hidden state"),
    Equation("eq-16", "2.3.1", "index score: weighted sum over heads of ReLU(q . k)"),
    Equation("eq-17", "2.3.1", "selection of the top-k compressed entries"),
    Equation("eq-18", "2.3.1", "queries from the same latent as the indexer's"),
    Equation("eq-19", "2.3.1", "core attention over the selected entries, key = value, one shared head"),
    Equation("eq-20", "2.3.2", "HCA: kv entries"),
    Equation("eq-21", "2.3.2", "HCA: compression scores"),
    Equation("eq-22", "2.3.2", "HCA: softmax per channel over the m' rows of a block, with position biases"),
    Equation("eq-23", "2.3.2", "HCA: compressed entry, the weighted sum over its block"),
    Equation("eq-24", "2.3.2", "HCA: query latent, as released with an RMS norm"),
    Equation("eq-25", "2.3.2", "HCA: queries from the latent"),
    Equation("eq-26", "2.3.2", "HCA: core attention over all compressed entries, key = value"),
    Equation("eq-27", "2.3.3", "attention sink: one more term of the denominator, per head"),
    Equation("2.3.3-rotary", "2.3.3", "partial rotary embedding: the last dims, in adjacent pairs"),
    Equation("2.3.3-yarn", "2.3.3", "YaRN frequencies, amplitude 1 (released code)"),
    Equation("2.3.3-inverse-rotary", "2.3.3", "inverse rotation of the attention output at the query's position"),
    Equation("2.3.3-window", "2.3.3", "sliding window of uncompressed entries, in the same softmax"),
    Equation("2.3.3-head-norm", "2.3.3", "RMS norm of every query head, without weight"),
    Equation("2.3.1-grouped-output", "2.3.1", "grouped output projection"),
    Equation("2.3.1-hadamard", "2.3.1", "Hadamard transform of indexer queries and keys (released code)"),
    Equation("2.3.1-visibility", "2.3.1", "an entry is visible from the last token of its block on"),
    Equation("2.3.4-entry-precision", "2.3.4", "window and compressed entries in FP8, but for their rotary dims"),
    Equation("2.3.4-index-precision", "2.3.4", "index queries and keys in FP4"),
    Equation("5.2.1-deployed-activations", "5.2.1", "activations in BF16, inputs of linear maps FP8 (released code)"),
    Equation("5.2.1-block-quantization", "5.2.1", "FP8 and FP4 in blocks, with scales that are powers of two"),
]

EQUATION_IDS = frozenset(equation.id for equation in EQUATIONS)
