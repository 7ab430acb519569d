# %% [markdown]
# # How does a layer read a million tokens?
#
# Report sections 2.3.2 and 2.3.3, equations (20) to (27). You should know attention with keys and values and the KV
# cache. Notebook 2 helps (it has the other kind of compression) but is not needed.
#
# **Heavily compressed attention** (HCA) pools m′ = 128 tokens into one entry, without overlap, and then reads **all**
# entries that are there. No indexer, no choice: a million tokens are 8192 entries. What happened within the last 128
# tokens it reads uncompressed, through a sliding window; window and entries stand in **one** softmax, together with a
# learned **sink** that takes weight and gives nothing.
#
# All numbers are held to golden cases. What a golden case is, what a line of `compare` shows and what the other words
# mean, says the paragraph [Words](README.md#words) of the index.
#
# | symbol | what | V4-Flash | V4-Pro |
# | --- | --- | --- | --- |
# | m′ | tokens for one entry | 128 | 128 |
# | n_win | window of uncompressed tokens, the query included | 128 | 128 |
# | c | width of an entry, of a head | 512 | 512 |
# | n_h | query heads, all share the entries | 64 | 128 |
# | | layers: sliding window only / CSA / HCA | 2 / 21 / 20 | 0 / 30 / 31 |

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

from study import COLOURS, case, compare, number, quote
from study.command import executable

BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK = COLOURS
GREY = "#C8C8C8"


def float64(tensors):
    return {name: values.astype(float) for name, values in tensors.items()}


# %% [markdown]
# ## One entry for 128 tokens
# <!-- equations: (20) (21) (22) (23) -->
#
# ```
# (20)  C = H W^KV                                   content
# (21)  Z = H W^Z                                    scores
# (22)  S = softmax over the m′ rows of a block, for each channel alone, of Z + B
# (23)  C^Comp(i) = Σ over the rows of block i of S ⊙ C
# ```
#
# Each token is projected once, to c channels, and belongs to one block. B is m′ × c: one row for each place in a block.
# As in CSA the softmax runs over rows, so an entry may take channel 0 from the first token of its block and channel 1
# from the last. The same functions pool both kinds of entries; without overlap a block has its own rows only.

# %%
quote("Sources/TokenCompression/CompressionSteps.swift", "public func biased")
quote("Sources/TokenCompression/CompressionSteps.swift", "public func blockRows")

# %%
def rms_norm(x, weight, epsilon):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * weight


def rows_and_weights(hidden, kv_projection, gate_projection, bias):
    """Contents and softmax weights of the rows of each whole block: [N, m′, c] both."""
    m = len(bias)
    whole = len(hidden) // m * m
    content = (hidden @ kv_projection.T)[:whole].reshape(-1, m, bias.shape[1])
    score = (hidden @ gate_projection.T)[:whole].reshape(-1, m, bias.shape[1]) + bias
    power = np.exp(score - score.max(1, keepdims=True))
    return content, power / power.sum(1, keepdims=True)


names = ("kv_projection", "gate_projection", "position_bias")
two = case("tiny/token-compression/compress-ratio-128-two")
tensors = float64(two.weights)
content, weights = rows_and_weights(two.inputs["hidden"].astype(float), *(tensors[name] for name in names))
pooled = (content * weights).sum(1)
compare("pooled entries", pooled, two.expected["pooled"], 1e-14)
normalized = rms_norm(pooled, tensors["norm"], two.parameters["norm_epsilon"])
compare("normalised entries", normalized, two.expected["normalized"], 1e-13)
print(f"{len(two.inputs['hidden'])} tokens, {len(pooled)} entries, {len(two.inputs['hidden']) % 128} tokens in none")

figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4), width_ratios=[2, 1])
for channel, colour in zip((0, 3), (BLUE, ORANGE)):
    left.plot(np.arange(128), weights[0, :, channel], color=colour, linewidth=1.2, label=f"channel {channel}")
left.axhline(1 / 128, color=BLACK, linestyle="--", linewidth=1, label="a plain mean")
left.set(yscale="log", ylim=(1e-5, 3), xlabel="place in the block (tokens)", ylabel="softmax weight (no unit)",
         title="What entry 0 is pooled from")
left.legend(loc="upper right", ncols=3)
spread = np.exp(-(weights * np.log(weights)).sum(1))
for entry, (colour, marker) in enumerate(((BLUE, "o"), (ORANGE, "s"))):
    right.plot(np.arange(6), spread[entry], marker, color=colour, label=f"entry {entry}")
right.axhline(128, color=BLACK, linestyle="--", linewidth=1)
right.text(-0.2, 130, "all 128")
right.set(xlabel="channel", ylabel="rows that count: exp(entropy)", title="How many rows count", ylim=(0, 145))
right.legend(loc="upper right", bbox_to_anchor=(1, 0.85))
plt.show()

# %% [markdown]
# The tail of 44 tokens is in no entry: a block is pooled when its last token has come, not before. Until then its
# projected rows wait in the state. (The weights here are generated, so nothing can be read from *which* rows they
# prefer.)
#
# ## The whole layer
# <!-- equations: (24) (25) (26) 2.3.3-window 2.3.3-head-norm 2.3.3-rotary 2.3.3-inverse-rotary 2.3.1-visibility -->
#
# ```
# (24)  c^Q = RMSNorm(h W^DQ)        (25)  q = c^Q W^UQ, each head divided by its RMS, then rotated
#       window entry of a token  =  RMSNorm(h W^KV′), rotated at the token
#       compressed entry of a block  =  RMSNorm(C^Comp), rotated at the first token of the block
# (26)  o(t, i) = CoreAttn(q(t, i), keys = values = window entries max(0, t − n_win + 1) … t
#                                                   and compressed entries 0 … ⌊(t + 1)/m′⌋ − 1)
#       the last channels of o rotated back by t, then the grouped output projection (notebook 2)
# ```
#
# That is all that is left of CSA when the indexer is taken out: queries, window, softmax and output are the very same
# functions.

# %%
quote("Sources/HeavilyCompressedAttention/HeavilyCompressedLayer.swift", "public func callAsFunction")
quote("Sources/CoreAttention/AttentionSteps+Core.swift", "public func visibleWindow")
quote("Sources/CoreAttention/AttentionSteps+Core.swift", "public func attend")

# %%
def frequencies(p):
    """The angle that each pair of channels turns by from token to token, with YaRN (notebook 4)."""
    r, length = p["rope_dims"], p["yarn_original_length"]
    j = np.arange(r // 2)
    f = p["theta"] ** (-2 * j / r)
    betas = np.array([p["yarn_beta_fast"], p["yarn_beta_slow"]])
    corners = r * np.log(length / (2 * np.pi * betas)) / (2 * np.log(p["theta"]))
    low, high = np.clip([np.floor(corners[0]), np.ceil(corners[1])], 0, r - 1)
    ramp = np.clip((j - low) / (high - low or 0.001), 0, 1)
    return f / p["yarn_factor"] * ramp + f * (1 - ramp)


def rotate(x, angles, sign=1):
    """Turns the last channels in pairs; the first axis of x is that of the angles."""
    r = 2 * angles.shape[1]
    turn = np.exp(1j * sign * angles).reshape(len(angles), *[1] * (x.ndim - 2), r // 2)
    pairs = (x[..., -r::2] + 1j * x[..., -r + 1 :: 2]) * turn
    turned = np.stack([pairs.real, pairs.imag], -1).reshape(*x.shape[:-1], r)
    return np.concatenate([x[..., :-r], turned], -1)


def queries_and_window(hidden, w, p, angles):
    epsilon = p["norm_epsilon"]
    latent = rms_norm(hidden @ w["query_down"].T, w["query_norm"], epsilon)
    heads = (latent @ w["query_up"].T).reshape(len(hidden), p["heads"], -1)
    queries = rotate(rms_norm(heads, 1, epsilon), angles)
    return queries, rotate(rms_norm(hidden @ w["kv_projection"].T, w["kv_norm"], epsilon), angles)


def entries_of(hidden, w, p):
    rows, weights = rows_and_weights(hidden, *(w[f"compressor_{name}"] for name in names))
    pooled = rms_norm((rows * weights).sum(1), w["compressor_norm"], p["norm_epsilon"])
    return rotate(pooled, np.outer(p["ratio"] * np.arange(len(pooled)), frequencies(p)))


def probabilities(logits, sinks):
    """Eq. (27), further down: logits [h, n], sinks [h]."""
    power = np.exp(logits)
    return power / (power.sum(1, keepdims=True) + np.exp(sinks)[:, None])


def attend(queries, window_entries, entries, w, p, window=None, weigh=probabilities):
    outputs = []
    for t, query in enumerate(queries):
        recent = window_entries[max(0, t - (window or p["window"]) + 1) : t + 1]
        read = np.concatenate([recent, entries[: (t + 1) // p["ratio"]]])
        outputs.append(weigh(query @ read.T / np.sqrt(read.shape[1]), w["sinks"]) @ read)
    return np.array(outputs)


def layer(golden, **change):
    """The layer of a golden case: `attended`, rotated back."""
    p, w, hidden = golden.parameters, float64(golden.weights), golden.inputs["hidden"].astype(float)
    angles = np.outer(np.arange(len(hidden)), frequencies(p))
    queries, window_entries = queries_and_window(hidden, w, p, angles)
    return rotate(attend(queries, window_entries, entries_of(hidden, w, p), w, p, **change), angles, sign=-1)


long = case("odd/heavily-compressed-attention/hca-257-tokens")
print(f"{len(long.inputs['hidden'])} tokens, window {long.parameters['window']}, m′ = {long.parameters['ratio']}")
compare("compressed entries", entries_of(long.inputs["hidden"].astype(float), float64(long.weights), long.parameters),
        long.expected["compressed_entries"], 1e-12)
compare("attended", layer(long), long.expected["attended"], 1e-12)

# %% [markdown]
# ## How window and entries fit together
# <!-- equations: 2.3.3-window 2.3.1-visibility -->
#
# A query sees blocks that are whole, and the last 128 tokens. Is there anything in between that it misses? The picture
# is the visibility of the layer above, with the released window and ratio; each column is a token.

# %%
def reach(window, ratio, tokens):
    """0: future, 1: past but out of reach, 2: in an entry, 3: in the window, 4: both."""
    t, s = np.arange(tokens)[:, None], np.arange(tokens)
    in_window, in_entry = (s <= t) & (s > t - window), s < (t + 1) // ratio * ratio
    return np.select([in_window & in_entry, in_window, in_entry, s <= t], [4, 3, 2, 1], 0)


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=[1.15, 1])
left.imshow(reach(128, 128, 400), cmap=ListedColormap(["white", GREY, GREEN, BLUE, SKY]), vmin=0, vmax=4)
left.set(xlabel="token (position)", ylabel="query t (position)", title="n_win = 128, m′ = 128",
         xticks=range(0, 400, 128), yticks=range(0, 400, 128))
left.grid(False)
left.legend(handles=[Patch(color=BLUE, label="window"), Patch(color=SKY, label="both"),
                     Patch(color=GREEN, label="entries")], loc="upper right")
windows = np.arange(120, 133)
missed = [int((reach(window, 128, 400) == 1).sum(1).max()) for window in windows]
right.bar(windows, missed, color=ORANGE)
right.set(xlabel="window n_win (tokens)", ylabel="tokens that some query misses", title="Gaps at m′ = 128")
plt.show()
smallest = windows[missed.index(0)]
print(f"no query misses a token from n_win = {smallest} on")
twice = (reach(128, 128, 4096) == 4).sum(1)[127:-1]  # whole blocks of queries: 31 of them
print(f"tokens seen twice, in the window and in an entry: {twice.min()} to {twice.max()},"
      f" on average {number(twice.mean())}")

# %% [markdown]
# The unfinished block has at most m′ − 1 = 127 tokens, and the window holds 128: nothing is missed, with one to
# spare. In every row from t = 127 on, where the first entry is there, the two overlap (light blue): these tokens are
# read twice, once as they are and once as a part of an entry. Nothing is subtracted, and nobody masks the entry. At
# t = 255 all 128 tokens of the window stand in the entry that has just been completed, too.
#
# ## The sink
# <!-- equations: (27) -->
#
# ```
# (27)  s(j) = exp(z(j)) / (Σ_k exp(z(k)) + exp(z′))          z′: one learned number for each head
# ```
#
# An ordinary softmax has to give all of its weight away, even where nothing fits. The sink stands in the denominator
# only: it takes a share and has no value. So the weights of the entries sum to less than 1, **always**; the sum is
#
# ```
# Σ_j s(j) = Z / (Z + exp(z′)) = σ(log Z − z′)          Z = Σ_k exp(z(k))
# ```
#
# that is, a gate on the whole output of a head: open where log Z, not one score, is well above z′, shut where it is
# well below. It is the same as one more entry with the logit z′ and the value 0. The case `hca-sinks-large` has sinks
# of 30, −30, 3 and 1. It is a tiny one, with m′ = 3 and a window of 5 in place of 128 and 128.

# %%
quote("Sources/CoreAttention/AttentionSteps+Core.swift", "public func probabilities")

# %%
sinks = case("tiny/heavily-compressed-attention/hca-sinks-large")
p, w, hidden = sinks.parameters, float64(sinks.weights), sinks.inputs["hidden"].astype(float)
compare("attended", layer(sinks), sinks.expected["attended"], 1e-12)


def as_an_entry_of_zeros(logits, sinks):
    """A plain softmax over the entries and one more, whose value would be 0: its column is dropped."""
    power = np.exp(np.hstack([logits, sinks[:, None]]))
    return (power / power.sum(1, keepdims=True))[:, :-1]


compare("sink as an entry of value 0", layer(sinks, weigh=as_an_entry_of_zeros), sinks.expected["attended"], 1e-12)

angles = np.outer(np.arange(len(hidden)), frequencies(p))
queries, window_entries = queries_and_window(hidden, w, p, angles)
read = np.concatenate([window_entries[8:13], entries_of(hidden, w, p)])
logits = queries[12] @ read.T / np.sqrt(read.shape[1])
shares = probabilities(logits, w["sinks"])
total = np.exp(logits).sum(1)
compare("sum of weights", shares.sum(1), 1 / (1 + np.exp(w["sinks"] - np.log(total))), 1e-14,
        label="other formula")
for head in range(4):
    print(f"head {head}: sink {w['sinks'][head]:5.1f}, log Z {np.log(total[head]):.3f}, "
          f"weights sum to {number(shares[head].sum())}")

figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.6))
bottom = np.zeros(4)
for part, colour, label in ((shares[:, :5].sum(1), BLUE, "window"),
                            (shares[:, 5:].sum(1), GREEN, "compressed"),
                            (1 - shares.sum(1), GREY, "sink")):
    left.bar(np.arange(4), part, 0.6, bottom=bottom, color=colour, label=label)
    bottom += part
left.set(xlabel="head: its sink z′", ylabel="share of the softmax (no unit)", title="Last token of hca-sinks-large",
         xticks=range(4), xticklabels=[f"{value:g}" for value in w["sinks"]], ylim=(0, 1.32))
left.legend(loc="upper center", ncols=3)
count = np.logspace(0, 4, 200)
for sink, colour in ((0, BLUE), (3, ORANGE), (6, GREEN)):
    right.plot(count, count / (count + np.exp(sink)), color=colour, label=f"z′ = {sink}")
right.axvline(128 + 8192, color=BLACK, linestyle="--", linewidth=1)
right.text(128 + 8192 - 1500, -0.01, "HCA at a million tokens", ha="right")
right.set(xscale="log", xlabel="entries that a query reads, all of score 0", ylabel="sum of their weights (no unit)",
          title="A sink against many entries")
right.legend(loc="lower right", bbox_to_anchor=(0.93, 0.1))
plt.show()

# %% [markdown]
# Right: the more entries, the less the sink holds against them, if their scores do not change. A head that should stay
# silent in a long context needs low scores, not just a sink.
#
# Two ways to get it wrong: leave it out, or store it as an entry of zeros whose logit is then **0**, and not z′. Both
# are known bugs; `v4-oracle engine --bug ID` plays an engine that has one, and our own wrong formula has to give the
# same wrong numbers.

# %%
def engine_with(bug, golden):
    """What the slow path gives for a case with a known bug planted in it."""
    with tempfile.TemporaryDirectory() as folder:
        run = {"type": "run", "id": "1", "case": golden.entry["id"], "operation": "attention",
               "file": str(Path("golden", golden.entry["file"]).resolve()), "result": f"{folder}/out.h5"}
        messages = "\n".join(map(json.dumps, [{"type": "start", "protocol": 1}, run, {"type": "stop"}]))
        command = [executable(), "engine", "--precision", "double", "--bug", bug]
        subprocess.run(command, input=messages + "\n", capture_output=True, text=True, check=True)
        with h5py.File(f"{folder}/out.h5") as file:
            return {name: data[()] for name, data in file.items()}


wrong = {
    "sink-missing": {"weigh": lambda logits, sinks: probabilities(logits, np.full(4, -np.inf))},
    "sink-as-dummy-kv": {"weigh": lambda logits, sinks: probabilities(logits, np.zeros(4))},
    "window-one-less": {"window": p["window"] - 1},
    "window-one-more": {"window": p["window"] + 1},
}
right_values = sinks.expected["attended"]
for bug, change in wrong.items():
    values = layer(sinks, **change)
    compare(bug, values, engine_with(bug, sinks)["attended"], 1e-12, label="engine")
    off = np.abs(values - right_values).max((0, 2))
    print("   largest error in heads 0 … 3:", ", ".join(f"{value:.2g}" for value in off))

# %% [markdown]
# The errors depend on the head. Where the sink is −30 it is as good as absent, so leaving it out is harmless there
# (1e-13); where it is 30, the head is silent, and a wrong window does nothing. A check on one head can miss any of
# these.
#
# ## One softmax, even when a kernel computes two
# <!-- equations: (26) (27) -->
#
# Window and compressed entries compete for the same weight. A kernel may well work on them apart, in two passes with a
# sum each; then it has to put them together with their sums, and the sink enters **once**:
#
# ```
# o = (Z₁ o₁ + Z₂ o₂) / (Z₁ + Z₂ + exp(z′))          o₁, o₂: plain softmax outputs, Z₁, Z₂: their sums of exponentials
# ```
#
# A kernel keeps a maximum, so that no exponential overflows. With the maxima μ₁, μ₂ subtracted in the passes, Zᵢ is
# scaled by exp(μᵢ − μ), μ = max(μ₁, μ₂, z′), and the sink is exp(z′ − μ).

# %%
def plain(logits, entries):
    power = np.exp(logits)
    return power.sum(1, keepdims=True), power @ entries / power.sum(1, keepdims=True)


z1, o1 = plain(logits[:, :5], read[:5])
z2, o2 = plain(logits[:, 5:], read[5:])
sink = np.exp(w["sinks"])[:, None]
merged = rotate(((z1 * o1 + z2 * o2) / (z1 + z2 + sink))[None], angles[12:13], sign=-1)[0]
compare("two passes, put together", merged, right_values[12], 1e-12)

passes = [(logits[:, :5], o1), (logits[:, 5:], o2)]
maxima = [part.max(1, keepdims=True) for part, _ in passes]
top = np.maximum(np.maximum(*maxima), np.log(sink))
sums = [np.exp(part - own).sum(1, keepdims=True) * np.exp(own - top) for (part, _), own in zip(passes, maxima)]
merged = sum(z * o for z, (_, o) in zip(sums, passes)) / (sum(sums) + np.exp(np.log(sink) - top))
compare("the same with maxima", rotate(merged[None], angles[12:13], sign=-1)[0], right_values[12], 1e-12)
twice_sunk = rotate((z1 * o1 / (z1 + sink) + z2 * o2 / (z2 + sink))[None] / 2, angles[12:13], sign=-1)[0]
errors = np.abs(twice_sunk - right_values[12]).max(1)
print("mean of two softmaxes with a sink each, error in heads 0 … 3:", ", ".join(f"{e:.2g}" for e in errors))

# %% [markdown]
# ## At position 1,048,000
# <!-- equations: (22) (23) (26) 2.3.3-window -->
#
# The golden case `hca-from-1048000` begins deep inside: 8187 entries, a window and half a block are already there.
# They are not stored but generated, by a formula in `golden/FORMAT.md`; it takes eight lines to make them again and
# to let 66 tokens read them. The 64th of them completes a block.

# %%
def generated(seed, tensor, rows, width):
    """Rows of a tensor of the state generator (splitmix64): float32 numbers in [−1, 1).

    0: window entries, 1: compressed entries, 3 and 4: content and score of the rows of the unfinished block.
    """
    row, column = np.asarray(rows, np.uint64)[:, None], np.arange(width, dtype=np.uint64)
    start = np.uint64((seed * 1000003 + tensor * 2**32 * 257) % 2**64)
    z = start + row * np.uint64(65537) + column + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(40)) / 2.0**23 - 1


deep = case("tiny/heavily-compressed-attention/hca-from-1048000")
p, w, hidden = deep.parameters, float64(deep.weights), deep.inputs["hidden"].astype(float)
start, m, c = p["start"], p["ratio"], w["kv_norm"].size
before, block = start // m, start // m * m


def angles_at(positions):
    """As deployed: float32 position × float32 frequency, rounded to float32."""
    return np.outer(np.asarray(positions, np.float32), deep.weights["frequency_table"]).astype(float)


waiting = np.arange(block, start)
score = np.vstack([generated(p["state_seed"], 4, waiting, c), hidden @ w["compressor_gate_projection"].T])[:m]
content = np.vstack([generated(p["state_seed"], 3, waiting, c), hidden @ w["compressor_kv_projection"].T])[:m]
power = np.exp(score + w["compressor_position_bias"])
new = rms_norm((power / power.sum(0) * content).sum(0)[None], w["compressor_norm"], p["norm_epsilon"])
new = rotate(new, angles_at([block]))
compare("the entry of the block that is completed", new, deep.expected["new_compressed_entries"], 1e-12)

positions = start + np.arange(len(hidden))
queries, window_entries = queries_and_window(hidden, w, p, angles_at(positions))
entries = np.vstack([generated(p["state_seed"], 1, np.arange(before), c), new])
earlier = generated(p["state_seed"], 0, np.arange(start - p["window"] + 1, start), c)
window_entries = np.vstack([earlier, window_entries])
outputs, visible = [], (positions + 1) // m
for t, query in enumerate(queries):
    read = np.vstack([window_entries[t : t + p["window"]], entries[: visible[t]]])
    outputs.append(probabilities(query @ read.T / np.sqrt(c), w["sinks"]) @ read)
attended = rotate(np.array(outputs), angles_at(positions), sign=-1)
compare("attended", attended, deep.expected["attended"], 1e-12)
print(f"entries read: {visible[0]} at position {positions[0]}, {visible[63]} from position {positions[63]} on")

# %% [markdown]
# ## What a decode state holds, and what a query reads of it
# <!-- equations: 2.3.3-window (26) -->
#
# | layer | keeps | a query reads |
# | --- | --- | --- |
# | sliding window | the last n_win − 1 entries (and the query's own) | n_win |
# | CSA, m = 4 | that, ⌊N/4⌋ entries, ⌊N/4⌋ index keys, rows of the unfinished and the previous block | n_win + min(k, ⌊N/4⌋); all index keys |
# | HCA, m′ = 128 | that, ⌊N/128⌋ entries, rows of the unfinished block | n_win + ⌊N/128⌋ |
#
# The window is counted as 127 entries, since this is the state before a token whose own entry is the 128th; notebook
# 7 counts that one, too. A row that waits for its block is kept twice, as content and as score. The states of this
# package keep some tokens more, so that rejected speculation can be taken back; that is not counted here.

# %%
quote("Sources/TokenCompression/CompressorState.swift", "static func firstRowNeeded")

# %%
WINDOW, M_CSA, M_HCA, K, C, C_INDEX = 128, 4, 128, 512, 512, 128
LAYERS = {"window": 2, "CSA": 21, "HCA": 20}


def entries_read(n):
    """By a query with n tokens up to and including it: entries attended to in a layer of each kind."""
    n = np.asarray(n)
    window = np.minimum(n, WINDOW)
    return {"window": window, "CSA": window + np.minimum(K, n // M_CSA), "HCA": window + n // M_HCA}


def numbers_kept(n):
    """Numbers in the state of a layer of each kind after n tokens, before the next one."""
    window = min(n, WINDOW - 1) * C
    waiting = n - n // M_CSA * M_CSA + (M_CSA if n >= M_CSA else 0)
    csa = n // M_CSA * (C + C_INDEX) + waiting * 2 * (2 * C + 2 * C_INDEX)
    return {"window": window, "CSA": window + csa, "HCA": window + n // M_HCA * C + n % M_HCA * 2 * C}


for n in (4096, 65_536, 1_048_576):
    read, kept = entries_read(n), numbers_kept(n)
    print(f"N = {n:,}")
    for kind in LAYERS:
        share = kept[kind] / (n * C)
        print(f"   {kind:6} reads {int(read[kind]):6,} entries, keeps {kept[kind]:11,} numbers "
              f"({share:.2%} of a {C}-wide entry for each token)")

n = np.unique(np.logspace(1, np.log10(1_048_576), 600).astype(int))
read = entries_read(n)
figure, axis = plt.subplots(figsize=(8, 4.4))
axis.plot(n, n, color=BLACK, linestyle="--", linewidth=1.2, label="a dense layer: every token")
axis.plot(n, n // M_CSA, color=AMBER, linewidth=1.4, label="CSA: index keys, scored but not attended to")
for kind, colour in (("HCA", GREEN), ("CSA", BLUE), ("window", PURPLE)):
    axis.plot(n, read[kind], color=colour, linewidth=2.2, label={"window": "sliding window"}.get(kind, kind))
axis.set(xscale="log", yscale="log", xlabel="tokens up to the query, N (tokens)", ylabel="entries read in one layer",
         title="V4-Flash: what one query reads")
axis.legend(loc="upper left")
plt.show()

every = np.arange(1, 200_000)
both = entries_read(every)
crossing = every[both["HCA"] > both["CSA"]].min()
print(f"HCA reads more entries than CSA from N = {crossing:,} on")
million = entries_read(1_048_576)
total = sum(LAYERS[kind] * int(million[kind]) for kind in LAYERS)
dense = 43 * 1_048_576
print(f"all 43 layers at N = 1,048,576: {total:,} entries attended to, 1 in {dense / total:.0f} of a dense model;"
      f" {100 * LAYERS['HCA'] * int(million['HCA']) / total:.0f} % of them in HCA")
print(f"and {LAYERS['CSA'] * (1_048_576 // M_CSA):,} index keys scored")

# %% [markdown]
# Up to N = 169 the CSA curve lies above the dense layer: all tokens of the window are read again in their entries, so
# min(N, 128) + ⌊N/4⌋ is more than N.
#
# The two kinds divide the work. CSA is exact about where: at most 512 entries, each of 4 tokens (8 with the overlap),
# but it has to *score* a quarter of a million keys to find them, in FP4 and with narrow heads. HCA is blurred, and
# reads everything. Below 65,664 tokens HCA never reads more entries than CSA; at a million it reads 13 times as many.
# What that costs in FLOPs and bytes is notebook 7.
#
# ## Exercises
#
# 1. Pro has k = 1024. From which N on does its HCA read more entries than its CSA? (Hint: when is ⌊N/128⌋ above k?)
# 2. An engine uses ⌊t/m′⌋ in place of ⌊(t + 1)/m′⌋. Which queries are wrong, and do they miss a token? (Hint: `reach`
#    with one changed line; how far back does the window go at t = 255?)
# 3. What is the smallest window for CSA layers, m = 4, so that no token is out of reach for want of an entry?
#
# The last cell computes the solutions.
#
# <details><summary>Solutions</summary>
#
# 1. From ⌊N/128⌋ = 1025 on: N = 131,200.
# 2. Every 128th: t = 127, 255, …. At t = 255 the window goes back to token 128, and entry 0 ends at token 127: the
#    query misses no token, it reads block 1 in the window only. So a test that looks for missing tokens finds nothing,
#    while the numbers are wrong.
# 3. m − 1 = 3 tokens before the next block is complete, the query among them: n_win = 3.
#
# </details>

# %% [markdown]
# ## Computed solutions
#
# Try first: what follows are the answers.

# %%
every = np.arange(1, 200_000)
print("Pro:", every[every // 128 > np.minimum(1024, every // 4)].min())
t, s = np.arange(400)[:, None], np.arange(400)
missed = (s <= t) & (s <= t - 128) & (s >= t // 128 * 128)
print("missed with ⌊t/m′⌋:", missed.sum(), "pairs of query and token")
print("CSA, smallest window without a gap:",
      next(window for window in range(1, 9) if not (reach(window, 4, 400) == 1).any()), "tokens")
