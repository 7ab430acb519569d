# %% [markdown]
# # Which part of the past does a query of compressed sparse attention see?
#
# Report section 2.3.1, equations (9) to (19). You should know attention with keys and values, the KV cache, RMSNorm
# and, roughly, rotary embedding. Nothing of this report is needed.
#
# In one sentence: a layer of **compressed sparse attention** (CSA) pools every m = 4 tokens into one *entry*, lets a
# small second network, the **lightning indexer**, score the entries for each query, and attends to the k best ones and
# to the last few tokens as they are.
#
# The notebook builds such a layer in NumPy, piece by piece, holds every piece to golden values that neither this code
# nor the Swift code made, and then breaks it on purpose. What a golden case is, what a line of `compare` shows and
# what the other words mean, says the paragraph [Words](README.md#words) of the index.
#
# | symbol | what | V4-Flash | the layer here |
# | --- | --- | --- | --- |
# | d | model width | 4096 | 7 |
# | c | width of an entry, of a head | 512 | 10 |
# | r | the last channels of it, which are rotated | 64 | 6 |
# | m | tokens for one entry | 4 | 4 |
# | n_win | window of uncompressed tokens | 128 | 5 |
# | k | entries a query keeps | 512 | 6 |
# | n_h | query heads | 64 | 2 |
# | n_h^I, c^I | index heads, their width | 64, 128 | 5, 16 |

# %%
import json
import subprocess
import tempfile
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from study import COLOURS, case, compare, number, oracle, quote
from study.command import executable

BLUE, ORANGE, GREEN, PURPLE, _, SKY, _ = COLOURS
GREY = "#C8C8C8"
plt.rcParams["axes.grid"] = False

layer = case("odd/compressed-sparse-attention/csa-many-entries")
p, stored = layer.parameters, layer.expected
w = {name: values.astype(float) for name, values in layer.weights.items()}
hidden = layer.inputs["hidden"].astype(float)
positions = np.arange(len(hidden))
print(layer.entry["description"])
entries_count = len(stored["compressed_entries"])
print(f"{len(hidden)} tokens, {entries_count} entries, window {p['window']}, k = {p['index_topk']}")


def rms_norm(x, weight, epsilon):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * weight


# %% [markdown]
# ## One entry for four tokens, pooled from eight rows
# <!-- equations: (9) (10) (11) (12) 2.3.3-head-norm 2.3.3-rotary -->
#
# ```
# (9)   C^a = H W^aKV        C^b = H W^bKV                      content
# (10)  Z^a = H W^aZ         Z^b = H W^bZ                       scores
# (11)  [S^a; S^b] = softmax over 2m rows, for each channel, of [Z^a(this block) + B^a; Z^b(previous block) + B^b]
# (12)  C^Comp(i) = Σ S^a ⊙ C^a(this block) + Σ S^b ⊙ C^b(previous block)
# ```
#
# Each token is projected **twice** (2c channels): once as it looks to its own block, once as it looks to the next one.
# So an entry pools 2m = 8 rows, and neighbours overlap by half. The softmax runs over the rows, **for each channel
# alone**: channel 3 may come from one token and channel 4 from another. The position bias B, one row for each place in
# a block, enters the score and never the content.
#
# What the report calls a (this block) is in the released code the *second* half of the 2c channels, and b (the previous
# block) the *first*; see `docs/deviations.md`.

# %%
quote("Sources/TokenCompression/CompressionSteps.swift", "public func blockRows")
quote("Sources/TokenCompression/CompressionSteps.swift", "public func pooled")

# %% [markdown]
# The pooled entry is normalised (RMSNorm with weight) and its last channels are rotated at the position of the
# **first** token of its block. Rotation is the subject of notebook 4; here it is one function. The case
# `compress-by-eye` has all its inputs and weights in eighths, so that it can be followed with a pencil: H, B, Z and C
# are printed first. In the last three the first half of the channels is b (for the next block), the second a (for its
# own).

# %%
def frequencies(p):
    """The angle that each pair of channels turns by from token to token, with YaRN (notebook 4)."""
    r, length = p["rope_dims"], p["yarn_original_length"]
    j = np.arange(r // 2)
    f = p["theta"] ** (-2 * j / r)
    if length == 0:
        return f
    betas = np.array([p["yarn_beta_fast"], p["yarn_beta_slow"]])
    corners = r * np.log(length / (2 * np.pi * betas)) / (2 * np.log(p["theta"]))
    low, high = np.clip([np.floor(corners[0]), np.ceil(corners[1])], 0, r - 1)
    ramp = np.clip((j - low) / (high - low or 0.001), 0, 1)
    return f / p["yarn_factor"] * ramp + f * (1 - ramp)


def rotate(x, positions, p, sign=1):
    """Turns the last channels, in pairs, by sign · position · frequency; the first axis of x is positions."""
    r = p["rope_dims"]
    turn = np.exp(1j * sign * np.outer(positions, frequencies(p)))
    pairs = x[..., -r::2] + 1j * x[..., -r + 1 :: 2]
    pairs = pairs * turn.reshape(len(turn), *[1] * (x.ndim - 2), r // 2)
    turned = np.stack([pairs.real, pairs.imag], -1).reshape(*x.shape[:-1], r)
    return np.concatenate([x[..., :-r], turned], -1)


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def pooling(hidden, kv_projection, gate_projection, bias, overlap=True):
    """Contents and weights of the rows that each entry is pooled from: two arrays [N, 2m, c]."""
    m, c = len(bias), kv_projection.shape[0] // 2
    blocks = len(hidden) // m
    content = (hidden @ kv_projection.T)[: blocks * m].reshape(blocks, m, 2 * c)
    score = (hidden @ gate_projection.T)[: blocks * m].reshape(blocks, m, 2 * c) + bias
    earlier = np.full((blocks, m, c), -np.inf)  # of the previous block; entry 0 has none
    if overlap:
        earlier[1:] = score[:-1, :, :c]
    before = np.concatenate([np.zeros((1, m, c)), content[:-1, :, :c]])
    rows = np.concatenate([before, content[:, :, c:]], axis=1)
    return rows, softmax(np.concatenate([earlier, score[:, :, c:]], axis=1), axis=1)


def finished(rows, weights, norm, p):
    """Pooled, normalised, rotated at the first token of the block."""
    entries = rms_norm((rows * weights).sum(1), norm, p["norm_epsilon"])
    return rotate(entries, p["ratio"] * np.arange(len(entries)), p)


eye = case("tiny/token-compression/compress-by-eye")
names = ("kv_projection", "gate_projection", "position_bias")
rows, weights = pooling(eye.inputs["hidden"], *(eye.weights[name] for name in names))
with np.printoptions(precision=4, suppress=True):
    print(f"H, 8 tokens, d = 2\n{eye.inputs['hidden']}\nB, 4 places, 2c = 8 channels\n{eye.weights['position_bias']}")
    for what, name in (("Z = H W^Z, 8 tokens", "gate_projection"), ("C = H W^KV, 8 tokens", "kv_projection")):
        print(f"{what}, 2c = 8 channels\n{eye.inputs['hidden'] @ eye.weights[name].T}")
    print("weights of the 8 rows of entry 1 (rows: tokens 0 … 7, columns: channels)")
    print(weights[1])
compare("pooled, by eye", (rows * weights).sum(1), eye.expected["pooled"], 1e-14)
computed = finished(rows, weights, eye.weights["norm"], eye.parameters)
compare("entries, by eye", computed, eye.expected["entries"], 1e-14)

compressor = [w[f"compressor_{name}"] for name in names]
rows, weights = pooling(hidden, *compressor)
entries = finished(rows, weights, w["compressor_norm"], p)
compare("compressed entries of the layer", entries, stored["compressed_entries"], 1e-12)

uniform = case("tiny/token-compression/compress-uniform")
content = uniform.inputs["hidden"] @ uniform.weights["kv_projection"].T.astype(float)
c = content.shape[1] // 2
compare("entry 0 is a mean of 4 rows", content[0:4, c:].mean(0), uniform.expected["pooled"][0], 1e-14)
both = np.concatenate([content[0:4, :c], content[4:8, c:]])
compare("entry 1 is a mean of 8 rows", both.mean(0), uniform.expected["pooled"][1], 1e-14)

figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.9), width_ratios=[1.35, 1])
grid = np.zeros((6, 24))
for entry in range(6):
    grid[entry, max(0, 4 * entry - 4) : 4 * entry] = 1
    grid[entry, 4 * entry : 4 * entry + 4] = 2
left.imshow(grid, cmap=ListedColormap(["white", ORANGE, GREEN]), aspect="auto", extent=(-0.5, 23.5, 5.5, -0.5))
left.set_xticks(np.arange(-0.5, 24, 4), minor=True)
left.set_yticks(np.arange(0.5, 6), minor=True)
left.grid(which="minor", color="#888888", linewidth=0.6)
left.tick_params(which="minor", length=0)
left.set(xlabel="token (position)", ylabel="entry (number)", xticks=range(0, 24, 4), yticks=range(6),
         title="What an entry is pooled from")
left.legend(handles=[Patch(color=ORANGE, label="previous block, channels 0 … c−1"),
                     Patch(color=GREEN, label="this block, channels c … 2c−1")], loc="upper right", fontsize=9)
shown = right.imshow(weights[5], cmap="viridis", vmin=0, aspect="auto")
right.axhline(3.5, color="white", linewidth=2)
right.set(xlabel="channel", ylabel="token (position)", xticks=range(0, 10, 3), yticks=range(8),
          yticklabels=range(16, 24), title="Softmax weights of entry 5")
figure.colorbar(shown, ax=right, label="weight of the row (no unit)")
plt.show()

# %% [markdown]
# Left: each token flows into two entries, each time through other channels of its projection. Right: the eight weights
# of every column sum to 1, and each column has another profile. A softmax over the channels in place of the rows is a
# known bug (`compressor-pooled-over-channels`).
#
# **Before the first block** there is nothing: the rows of a block before entry 0 get the score −∞, so they weigh
# nothing, and entry 0 is a mean over 4 rows. An engine that fills in zeros as *scores* gives them half of the
# softmax. In the case
# `compress-uniform` all scores are equal, so the first entry has to be a plain mean of 4 rows, the second of 8.
#
# ## Which entries may a query see?
# <!-- equations: 2.3.1-visibility -->
#
# ```
# entry s is visible to token t   ⇔   s < ⌊(t + 1)/m⌋          t, s counted from 0
# ```
#
# Only whole blocks have an entry, and only a block that ended at or before t may be seen. Token t = 3 completes block
# 0: everything in entry 0 is its past or itself, so it sees it. The report writes `s < ⌊t/m⌋`; with t counted from 0
# that would hide a block from the very token that completes it. The released code and all golden cases have t + 1.

# %%
quote("Sources/CoreAttention/AttentionSteps+Core.swift", "public func visibleBlocks")
visible = (positions + 1) // p["ratio"]
from_scores = np.isfinite(stored["index_scores"]).sum(1)
print("token t          ", *(f"{t:2}" for t in range(13)))
print("⌊(t + 1)/4⌋      ", *(f"{n:2}" for n in visible[:13]))
print("golden: visible  ", *(f"{n:2}" for n in from_scores[:13]))
print("⌊t/4⌋            ", *(f"{t // 4:2}" for t in range(13)))
for t in (10, 11):
    print(f"entries that token {t} sees:", *np.flatnonzero(np.isfinite(stored["index_scores"][t])))
compare("visible entries of all tokens", visible, from_scores, 0)

# %% [markdown]
# ## One latent, two queries
# <!-- equations: (13) (24) (14) (18) (25) 2.3.3-head-norm -->
#
# ```
# (13)  c^Q = RMSNorm(h W^DQ)          the norm with weight is in the released code; the report has the plain product
# (14)  q^I = c^Q W^IUQ                index queries, n_h^I heads of width c^I, rotated; no norm
# (18)  q   = c^Q W^UQ                 attention queries, n_h heads of width c; each head normalised, then rotated
# ```
#
# The two queries share the latent c^Q. That saves a projection (in Flash, W^DQ has 4096 × 1024 numbers), and it ties
# choosing to reading: whatever is wrong in the latent is wrong in both.

# %%
quote("Sources/CoreAttention/AttentionSteps+Projections.swift", "public func normalizedLatent")
quote("Sources/CompressedSparseAttention/IndexerSteps.swift", "public func queries")

# %%
def heads(x, count):
    return x.reshape(len(x), count, -1)


def unit(x, epsilon):
    return rms_norm(x, 1, epsilon)


epsilon = p["norm_epsilon"]
projected = hidden @ w["query_down"].T
latent = rms_norm(projected, w["query_norm"], epsilon)
queries = rotate(unit(heads(latent @ w["query_up"].T, p["heads"]), epsilon), positions, p)
index_queries = rotate(heads(latent @ w["index_query_projection"].T, p["index_heads"]), positions, p)
compare("query latent", latent, stored["query_latent"], 1e-12)
compare("queries", queries, stored["queries"], 1e-12)

# %% [markdown]
# ## The lightning indexer scores, and the top-k chooses
# <!-- equations: (15) (16) (17) -->
#
# ```
# (15)  w^I = h W^w · (c^I)^−½ · (n_h^I)^−½                     one weight for each index head, may be negative
# (16)  I(t, s) = Σ over heads  w^I(t, h) · ReLU(q^I(t, h) · K^IComp(s))
# (17)  keep the k visible entries with the highest I(t, s)
# ```
#
# The keys K^IComp come from a **second compressor** of the same kind, with weights of its own and width c^I. The scale
# in (15) is in the released code only; a positive factor never changes an order.
#
# **k counts compressed entries, not tokens**: 512 entries in Flash pool the blocks of 2048 tokens, and with the overlap
# touch up to twice as many. And scores only choose: they are no weights of the attention that follows.

# %%
quote("Sources/CompressedSparseAttention/IndexerSteps.swift", "public func scores")
quote("Sources/CompressedSparseAttention/IndexerSteps.swift", "public func select")

# %%
def index_scores(queries, keys, index_weights, visible, relu=True):
    products = np.einsum("thi,si->ths", queries, keys)
    scores = np.einsum("th,ths->ts", index_weights, np.maximum(products, 0) if relu else products)
    return np.where(np.arange(len(keys)) < visible[:, None], scores, -np.inf)


def choose(scores, visible, k):
    """Highest score first, equal scores by lower index; −1 where fewer are visible. And the margin of the choice."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    selection = np.where(np.arange(order.shape[1]) < visible[:, None], order, -1)
    ranked = -np.sort(-np.pad(scores, ((0, 0), (0, 1)), constant_values=-np.inf), axis=1)
    clear = np.full(len(scores), np.inf)  # where nothing visible is rejected
    limited = visible > k
    clear[limited] = ranked[limited, k - 1] - ranked[limited, k]
    return selection, clear


index_compressor = [w[f"index_{name}"] for name in names]
keys = finished(*pooling(hidden, *index_compressor), w["index_norm"], p)
index_weights = hidden @ w["index_weights_projection"].T / np.sqrt(keys.shape[1] * p["index_heads"])
scores = index_scores(index_queries, keys, index_weights, visible)
selection, margin = choose(scores, visible, p["index_topk"])
compare("index scores", scores, stored["index_scores"], 1e-12)
compare("selection, slot by slot", selection, stored["selection"], 0)
compare("margin", margin, stored["margin"], 1e-12)
print(f"smallest margin {number(margin.min())}, largest score {number(scores.max())}")

tie = case("odd/compressed-sparse-attention/indexer-tie-at-zero")
zeros = (tie.expected["index_scores"] == 0).sum()
tied = (tie.expected["margin"] == 0).sum()
print(f"{zeros} scores are exactly 0 in a case with 2 index heads; at {tied} tokens they tie at the edge of the top-k")
tie_visible = (np.arange(len(tie.expected["margin"])) + 1) // 4
chosen, _ = choose(tie.expected["index_scores"], tie_visible, tie.parameters["index_topk"])
compare("ties go to the lower index", chosen, tie.expected["selection"], 0)

figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 5.6), width_ratios=[1.3, 1], sharey=True)
shown = left.imshow(np.where(np.isfinite(scores), scores, np.nan), cmap="cividis", aspect="auto")
left.set_facecolor("white")
for token, row in enumerate(selection):
    chosen = row[row >= 0]
    left.plot(chosen, np.full(len(chosen), token), "o", color=ORANGE, markersize=4.2, markeredgecolor="white",
              markeredgewidth=0.7)
left.set(xlabel="entry s (number)", ylabel="query t (position)", title="Index scores; dots: the top 6")
figure.colorbar(shown, ax=left, label="score I(t, s) (no unit)")
limited = np.isfinite(margin)
right.plot(margin[limited], positions[limited], "o", color=BLUE, markersize=4)
right.set(xscale="log", xlabel="margin: 6th best minus 7th best (no unit)", ylabel="query t (position)",
          title="How clear the choice was")
right.tick_params(labelleft=True)
noise = layer.entry["tensors"]["index_scores"]["tolerance"]["float"]
right.axvline(noise, color=ORANGE, linestyle="--")
right.text(1.3 * noise, 10, "what float32\nmay be off", color=ORANGE)
right.set_xlim(noise / 3, 3)
plt.show()

# %% [markdown]
# While six entries or fewer are visible (the first 27 tokens), there is nothing to choose; from then on the margin
# says how near the choice was to another one. A selection is the one discontinuous step of attention: an engine that
# differs from the truth by more than a margin may read another entry, and everything after differs by a lot. So
# golden cases keep all margins far above float32 noise, or make exact ties on purpose. Those are easy to get: after
# the ReLU a score is exactly 0 when all products are negative. The report leaves the order of ties open; here the
# lower index wins.
#
# ## A transform that changes nothing, until one rounds
# <!-- equations: 2.3.1-hadamard 2.3.4-index-precision -->
#
# The released code multiplies rotated index queries and keys by a Hadamard matrix, scaled to be orthogonal:
#
# ```
# A₁ = (1)      A₂ₙ = (Aₙ Aₙ; Aₙ −Aₙ)      H = A / √c^I      x ← x H      (q H) · (k H) = q · k, for H Hᵀ = 1
# ```
#
# Exact scores cannot change. But the deployed model stores index queries and keys in FP4 (sixteen values, one
# power-of-two scale for 32 channels). One outlier then sets the scale of its block and pushes its neighbours to zero;
# the transform spreads it evenly over all channels first.

# %%
def hadamard(x):
    matrix = np.ones((1, 1))
    while len(matrix) < x.shape[-1]:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return x @ matrix / np.sqrt(x.shape[-1])


def fp4(x, block=32):
    """To the nearest of ±(0, ½, 1, 1½, 2, 3, 4, 6) times a power of two for each block (notebook 6)."""
    blocks = x.reshape(*x.shape[:-1], -1, min(block, x.shape[-1]))
    scale = 2.0 ** np.ceil(np.log2(np.maximum(np.abs(blocks).max(-1, keepdims=True), 6 * 2.0**-126) / 6))
    values = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    nearest = values[np.abs(np.abs(blocks / scale)[..., None] - values).argmin(-1)]
    return (np.sign(blocks) * nearest * scale).reshape(x.shape)


transformed = index_scores(hadamard(index_queries), hadamard(keys), index_weights, visible)
compare("index scores with the transform", transformed, stored["index_scores"], 1e-12)
one_side, _ = choose(index_scores(hadamard(index_queries), keys, index_weights, visible), visible, p["index_topk"])
other = sum(set(a) != set(b) for a, b in zip(one_side, stored["selection"]))
print(f"queries transformed, keys not: another selection at {other} of {(visible > 6).sum()} tokens that have a choice")

simulated = case("odd/compressed-sparse-attention/indexer-simulated").expected
compare("our FP4 against the golden keys", fp4(simulated["index_keys.unrounded"]), simulated["index_keys"], 0)

# %% [markdown]
# Now the released width, 128 channels, from the case `indexer-choice`. Keys and queries are rounded to FP4 with and
# without the transform: first as they are, then with one key channel in each block of 32 twenty times as large, then
# with those channels ten times as large in keys and queries. The error is measured against the exact scores of each.

# %%
wide = case("published/compressed-sparse-attention/indexer-choice")
wide_visible = (np.arange(len(wide.inputs["hidden"])) + 1) // 4
plain_queries, plain_keys = hadamard(wide.expected["index_queries"]), hadamard(wide.expected["index_keys"])  # H H = 1


def rounding_error(queries, keys, transform):
    """RMS error of the scores by FP4, as a part of their RMS."""
    rounded = [fp4(hadamard(x) if transform else x) for x in (queries, keys)]
    exact = index_scores(queries, keys, wide.expected["index_weights"], wide_visible)
    got = index_scores(*rounded, wide.expected["index_weights"], wide_visible)
    seen = np.isfinite(exact)
    return np.sqrt(((got[seen] - exact[seen]) ** 2).sum() / (exact[seen] ** 2).sum())


def louder(factor):
    channels = np.ones(128)
    channels[5::32] = factor
    return channels


kinds = {"as they are": (1, 1), "outliers in keys": (1, louder(20)), "outliers in both": (louder(10), louder(10))}
figure, axis = plt.subplots(figsize=(7, 3))
for offset, (transform, colour, label) in enumerate(((False, ORANGE, "without"), (True, BLUE, "with"))):
    errors = [rounding_error(plain_queries * a, plain_keys * b, transform) for a, b in kinds.values()]
    places = np.arange(3) + 0.38 * (offset - 0.5)
    axis.bar(places, np.multiply(errors, 100), 0.36, color=colour, label=f"{label} transform")
    print(f"{label:7} transform:", ", ".join(f"{kind} {error:.1%}" for kind, error in zip(kinds, errors)))
loud, weights_of = louder(10), wide.expected["index_weights"]
exact = index_scores(plain_queries * loud, plain_keys * loud, weights_of, wide_visible)
of_four = index_scores(plain_queries * loud * (loud > 1), plain_keys * loud, weights_of, wide_visible)
seen = np.isfinite(exact)
print("outliers in both: the four loud channels alone give the scores to "
      f"{np.sqrt(((exact[seen] - of_four[seen]) ** 2).sum() / (exact[seen] ** 2).sum()):.1%}")
axis.set(xticks=range(3), xticklabels=list(kinds), ylabel="RMS error of scores (%)", title="What FP4 costs")
axis.legend()
plt.show()

# %% [markdown]
# With outliers FP4 costs less after the transform; without any it hardly matters. That outliers in both make the
# error smaller even without the transform (15.3 → 13.9 %) is no contradiction: the four loud channels are then nearly
# all of the exact score, and the neighbours that FP4 sets to zero hardly count. So a transform that is missing on
# *both* sides is hard to find: no test of exact scores can see it, the deployed model only chooses a little worse.
# Missing on *one* side it gives other scores at once.
#
# ## Reading: one softmax over window and chosen entries, then a grouped projection
# <!-- equations: (19) (26) (27) 2.3.3-window 2.3.3-inverse-rotary 2.3.1-grouped-output -->
#
# ```
# (19)  o(t, i) = CoreAttn(q(t, i), keys = values = window entries and chosen entries)
#       weights = exp(q · e · c^−½) / (Σ exp(q · e · c^−½) + exp(sink of the head))               (27), notebook 3
#       then the last channels of o are rotated back by the position of the query                  notebook 4
# ```
#
# An entry is key and value of all heads (one shared KV head). The window are the last n_win tokens, the query included,
# each with an entry of its own. The output is n_h · c wide (32,768 in Flash), so a dense projection to d would be the
# largest matrix of the layer. Instead the heads are split into g contiguous groups, each is projected to d_g by its own
# matrix, and the g · d_g numbers go to d.

# %%
quote("Sources/CoreAttention/AttentionSteps+Projections.swift", "public func groupedOutput")

# %%
def attend(queries, window_entries, entries, seen_window, selection, w, p):
    """`seen_window[t]`: positions; `selection[t]`: entries, −1 for none."""
    outputs = []
    for query, places, chosen in zip(queries, seen_window, selection):
        read = np.concatenate([window_entries[places], entries[chosen[chosen >= 0]]])
        logits = query @ read.T / np.sqrt(read.shape[1])
        powers = np.exp(logits)
        outputs.append(powers / (powers.sum(1, keepdims=True) + np.exp(w["sinks"])[:, None]) @ read)
    return rotate(np.array(outputs), np.arange(len(queries)), p, sign=-1)


def grouped_output(attended, w, p):
    g = p["groups"]
    groups = attended.reshape(len(attended), g, -1)
    down = w["output_down"].reshape(g, -1, groups.shape[2])
    return np.einsum("tgv,gpv->tgp", groups, down).reshape(len(attended), -1) @ w["output_up"].T


window_entries = rotate(rms_norm(hidden @ w["kv_projection"].T, w["kv_norm"], epsilon), positions, p)
seen_window = [range(max(0, t - p["window"] + 1), t + 1) for t in positions]
attended = attend(queries, window_entries, entries, seen_window, selection, w, p)
compare("window entries", window_entries, stored["window_entries"], 1e-12)
compare("attended", attended, stored["attended"], 1e-12)
compare("output of the layer", grouped_output(attended, w, p), stored["output"], 1e-12)

h, c, d, g, rank = 64, 512, 4096, 8, 1024
dense, grouped = h * c * d, h * c * rank + g * rank * d
print(f"Flash, dense:   {h * c:,} × {d:,} = {dense / 1e6:.1f} million numbers")
print(f"Flash, grouped: {g} × ({h * c // g:,} × {rank:,}) + {g * rank:,} × {d:,} = {grouped / 1e6:.1f} million numbers")

# %% [markdown]
# The whole layer, from hidden states to output, in NumPy, and equal to the golden values. Now to the picture that the
# title asks for.
#
# ## Who sees what
# <!-- equations: 2.3.1-visibility 2.3.3-window (17) -->
#
# A tiny whole model with generated weights runs 40 tokens (three layers with another kind of attention each, then one
# more of CSA); its trace has every value on the way. Layer 1 is CSA with n_win = 6, m = 4, k = 3. The selection is
# computed once more from the traced queries, keys and weights.

# %%
def traced(*options):
    """Configuration and the one call of a trace of the tiny model."""
    with tempfile.TemporaryDirectory() as folder:
        tiny, out = f"{folder}/tiny", f"{folder}/trace.h5"
        oracle("checkpoint", "synthesize", "--preset", "tiny", "--format", "float32", "--seed", "1", "--out", tiny)
        oracle("trace", "--checkpoint", tiny, "--precision", "double", *options, "--out", out)
        with h5py.File(out) as file:
            values = {name: data[()] for name, data in file["calls/0000"].items()}
        return json.loads(Path(tiny, "config.json").read_text()), values


tokens = [(7 * t * t + 3 * t + 5) % 48 for t in range(40)]
model, trace = traced("--text-ids", ",".join(map(str, tokens)))
traced_visible = (np.arange(40) + 1) // 4
part = "layers.1.attn.indexer"
again = index_scores(trace[f"{part}.queries"], trace[f"{part}.keys"], trace[f"{part}.weights"], traced_visible)
picked, _ = choose(again, traced_visible, model["index_topk"])
compare("scores of the trace", again, trace[f"{part}.scores"], 1e-12)
compare("selection of the trace", picked, trace[f"{part}.selection"], 0)


def by_entry(visible, selection, entries):
    """0: not visible, 1: visible, not picked, 2: picked."""
    grid = (np.arange(entries) < np.asarray(visible)[:, None]).astype(int)
    for row, chosen in zip(grid, selection):
        row[chosen[chosen >= 0]] = 2
    return grid


def by_token(selection, window, tokens, overlap=True):
    """0: future, 1: past but out of reach, 2: in a picked entry, 3: in the window, 4: both."""
    grid = np.tri(tokens, dtype=int)
    for t, chosen in enumerate(selection):
        for entry in chosen[chosen >= 0]:
            grid[t, max(0, 4 * entry - 4 * overlap) : 4 * entry + 4] = 2
        inside = slice(max(0, t - window + 1), t + 1)
        grid[t, inside] = np.where(grid[t, inside] == 2, 4, 3)
    return grid


REACH = ListedColormap(["white", GREY, GREEN, BLUE, SKY])
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 5.6), width_ratios=[1, 2.4], sharey=True)
left.imshow(by_entry(traced_visible, picked, 10), cmap=ListedColormap(["white", GREY, PURPLE]), aspect="auto")
left.legend(handles=[Patch(color=PURPLE, label="picked"), Patch(color=GREY, label="not picked")], loc="upper right")
left.set(xlabel="entry s (number)", ylabel="query t (position)", title="Entries", xticks=range(0, 10, 3))
right.imshow(by_token(picked, model["sliding_window"], 40), cmap=REACH, vmin=0, vmax=4, aspect="auto")
right.set(xlabel="token (position)", title="Tokens that reach the query", xticks=range(0, 40, 4))
right.legend(handles=[Patch(color=BLUE, label="in the window"), Patch(color=SKY, label="in both"),
                      Patch(color=GREEN, label="in a picked entry"),
                      Patch(color=GREY, label="available, not picked")], loc="upper right", fontsize=9)
plt.show()
reach = by_token(picked, model["sliding_window"], 40)
print(f"the last query reads 6 + 3 entries, in which {(reach[-1] > 1).sum()} of its 40 tokens have a part")
assert not (reach[:15] == 1).any()

# %% [markdown]
# Read it row by row. The **blue band** is the window. Each picked entry colours 8 tokens **green**: its own 4 tokens
# and the 4 before, by the overlap; runs of neighbours merge, and the window covers some. **Grey** is past that this
# query does not read; the next query may. While three entries or fewer are visible all of them are picked, so nothing
# is grey in the first 15 rows.
#
# Window and entries also cover each other: a recent token is read twice, once as it is and once in an entry. Nothing is
# subtracted. And the window is what makes it gapless: the tokens of an unfinished block have no entry yet, but there
# are at most m − 1 of them.
#
# ## What bugs do to the picture
# <!-- equations: (16) (17) 2.3.3-window 2.3.1-visibility -->
#
# The layer of the first sections once more, as one function with something to get wrong in it. Each mistake is a known
# bug of a real engine; `v4-oracle engine --bug ID` has it, too, and plays an engine that has it. Both have to give the
# same wrong numbers, otherwise we would not have understood the bug.

# %%
def broken(window=p["window"], k=p["index_topk"], relu=True, overlap=True, visible=visible):
    """The layer with one thing changed. -> selection, output."""
    entries = finished(*pooling(hidden, *compressor, overlap), w["compressor_norm"], p)
    keys = finished(*pooling(hidden, *index_compressor, overlap), w["index_norm"], p)
    scores = index_scores(index_queries, keys, index_weights, visible, relu)
    selection, _ = choose(scores, visible, k)
    seen_window = [range(max(0, t - window + 1), t + 1) for t in positions]
    attended = attend(queries, window_entries, entries, seen_window, selection, w, p)
    return selection, grouped_output(attended, w, p)


def engine_with(bug):
    """What the slow path gives for the same case with a known bug planted in it."""
    with tempfile.TemporaryDirectory() as folder:
        run = {"type": "run", "id": "1", "case": layer.entry["id"], "operation": "attention",
               "file": str(Path("golden", layer.entry["file"]).resolve()), "result": f"{folder}/out.h5"}
        messages = "\n".join(map(json.dumps, [{"type": "start", "protocol": 1}, run, {"type": "stop"}]))
        command = [executable(), "engine", "--precision", "double", "--bug", bug]
        subprocess.run(command, input=messages + "\n", capture_output=True, text=True, check=True)
        with h5py.File(f"{folder}/out.h5") as file:
            return {name: data[()] for name, data in file.items()}


BUGS = {
    "window-one-less": {"window": p["window"] - 1},
    "window-one-more": {"window": p["window"] + 1},
    "pool-visibility-one-less": {"visible": positions // 4},
    "compressor-no-overlap-at-all": {"overlap": False},
    "indexer-relu-missing": {"relu": False},
    "indexer-skipped": {"k": 13},
}
right_selection, right_output = broken()
compare("nothing broken", right_output, stored["output"], 1e-12)
size = np.abs(stored["output"]).max()
results = {}
for bug, change in BUGS.items():
    results[bug] = broken(**change)
    if bug != "indexer-skipped":  # more entries than a result has slots for: the engine answers with an error
        compare(bug, results[bug][1], engine_with(bug)["output"], 1e-12, label="engine")

print(f"{'bug':30} other selection at   output off at   by at most (largest output = 1)")
for bug, (selected, output) in results.items():
    other = sum(set(a[a >= 0]) != set(b[b >= 0]) for a, b in zip(selected, right_selection))
    off = np.abs(output - stored["output"]).max(1) / size
    print(f"{bug:30} {other:6} of 55 tokens {(off > 1e-9).sum():8} of 55      {off.max():.2g}")


def reads(selection, window, visible):
    """What each query reads: 13 entries, then the tokens 0 … 6 back. 0: not there, 1: not read, 2: entry, 3: token."""
    back = np.arange(7)
    there = back <= positions[:, None]
    return np.hstack([by_entry(visible, selection, 13), there * np.where(back < window, 3, 1)])


figure, axes = plt.subplots(2, 3, figsize=(9, 7.6), sharex=True, sharey=True)
should = reads(right_selection, p["window"], visible)
for axis, (bug, change) in zip(axes.flat, BUGS.items()):
    got = reads(results[bug][0], change.get("window", p["window"]), visible)
    picture = np.select([(got > 1) & (should == 1), (got == 1) & (should > 1)], [5, 4], got)
    colours = ListedColormap(["white", GREY, GREEN, BLUE, PURPLE, ORANGE])
    axis.imshow(picture, cmap=colours, vmin=0, vmax=5, aspect="auto")
    axis.axvline(12.5, color="black", linewidth=1)
    axis.set_title(bug, fontsize=10)
    axis.set_xticks([0, 4, 8, 13, 16, 19], ["0", "4", "8", "0", "3", "6"])
for axis in axes[1]:
    axis.set_xlabel("entry (number) | tokens back")
for axis in axes[:, 0]:
    axis.set_ylabel("query t (position)")
kinds = {BLUE: "token of the window", GREEN: "picked entry", GREY: "not read", ORANGE: "read, should not be",
         PURPLE: "not read, should be"}
handles = [Patch(color=colour, label=kind) for colour, kind in kinds.items()]
figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=9)
plt.show()

# %% [markdown]
# A window that is one off is wrong for nearly every query, by one column. A visibility that is one less is wrong in
# every fourth row: the query that completes a block does not see it, and takes another entry where it has a choice.
# Without the overlap the picture shows only half of the harm: keys and so choices differ, but the contents of *all*
# entries from 1 on are wrong, too. Without the ReLU negative products count, and most choices change. Without the
# indexer nothing is left grey; a short test, with k entries or fewer, would never see it.
#
# ## Exercises
#
# 1. Multiply the query latent of each token by a factor of its own, say 1 to 10, **after** the norm. What happens to the
#    selection, to the queries, to the output? (Hint: which of the two queries is normalised, and what does a positive
#    factor do to an order?)
# 2. How many tokens can a Flash query reach at most through k = 512 picked entries, and how many at least? (Hint:
#    neighbours overlap; entry 0 has no previous block.)
#
# The last cell computes the solution of the first.
#
# <details><summary>Solutions</summary>
#
# 1. The selection stays, for all scores of a token grow by the same positive factor; the queries stay but for the norm's
#    ε (0.001 here), for each head is divided by its RMS: they move by at most 0.00045, and the output by at most 0.00026,
#    where its largest value is 2.42. So the RMSNorm of the latent matters by its weight vector and by ε, hardly by
#    what it divides by.
# 2. At most 512 · 8 = 4096, when no two picked entries are neighbours and entry 0 is not among them; at least
#    512 · 4 = 2048, when entries 0 … 511 are picked. On top come the 128 tokens of the window.
#
# </details>

# %% [markdown]
# ## Computed solution
#
# Try first: what follows is the answer to exercise 1.

# %%
factors = np.linspace(1, 10, len(hidden))[:, None]
louder = latent * factors
louder_queries = rotate(unit(heads(louder @ w["query_up"].T, p["heads"]), epsilon), positions, p)
louder_index = rotate(heads(louder @ w["index_query_projection"].T, p["index_heads"]), positions, p)
same, _ = choose(index_scores(louder_index, keys, index_weights, visible), visible, p["index_topk"])
compare("selection with scaled latents", same, stored["selection"], 0)
print(f"queries move by at most {number(np.abs(louder_queries - queries).max())} (norm epsilon {epsilon:g})")
louder_output = grouped_output(attend(louder_queries, window_entries, entries, seen_window, same, w, p), w, p)
print(f"the output moves by at most {number(np.abs(louder_output - stored['output']).max())}"
      f" (largest {number(np.abs(stored['output']).max())})")
