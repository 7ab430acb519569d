# %% [markdown]
# # Which experts does a token get, and how much does each count?
#
# Report section 2.1 (and 4.2.3 for the clamp). The report numbers no equation here; the ids are those of
# `docs/equations.md`. You should know mixtures of experts with top-k routing, softmax and sigmoid.
#
# Every block of DeepSeek-V4 has an expert layer: a **router** picks k = 6 of 256 (Flash) or 384 (Pro) small
# feed-forward networks for each token, one **shared expert** serves every token, and the sum of the seven is the output.
# Changed since DeepSeek-V3: the **affinity** is √softplus in place of a sigmoid, the first layers choose by a **table** of
# token ids, and no limit on groups or nodes narrows the choice. And what an expert multiplies is **clamped**.
#
# Numbers are compared with *golden cases*: files of inputs, weights and expected outputs, which generators computed
# independently of the Swift code. `tiny` ones are small, `odd` ones have every axis of another size, `published` ones
# the counts and limits of the released models. A *known bug* is a mistake found in an inference engine; `v4-oracle` can
# plant it ([more](README.md)).
#
# | symbol | what | V4-Flash | V4-Pro |
# | --- | --- | --- | --- |
# | E | routed experts | 256 | 384 |
# | k | experts for each token | 6 | 6 |
# | `route_scale` | route scale | 1.5 | 2.5 |
# | – | layers that choose by table | 3 | 3 |
# | `clamp_limit` | clamp limit | 10 | 10 |

# %%
import json
import subprocess
import tempfile
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np

from study import COLOURS, case, compare, number, oracle, quote
from study.command import executable

BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK = COLOURS
GREY = "#C8C8C8"


def float64(tensors):
    return {name: values.astype(float) if values.dtype.kind == "f" else values for name, values in tensors.items()}


# %% [markdown]
# ## From a logit to an affinity
# <!-- equations: 2.1-affinity -->
#
# ```
# logit(t, e) = x(t) · gate(e)            affinity s = √softplus(logit) = √log(1 + exp(logit))
# ```
#
# The report names the function and does not argue for it. What can be said by looking:
#
# - **range**: softmax and sigmoid end at 1. √softplus has no upper end, and grows slowly, like √x.
# - **gradient**: on the left both fade, a sigmoid like e^x and √softplus like ½e^(x/2). On the right a sigmoid is flat: an
#   expert with a large logit is hardly moved by it any more. √softplus keeps a slope of 1/(2√x).
# - **ratios**: weights are affinities divided by their sum, so what counts is how a *ratio* of two affinities moves with
#   a logit: the slope of log s. For softmax it is 1 everywhere (one logit more is a factor e), for √softplus it falls from
#   ½ to 1/(2x): weights stay close to each other. A sigmoid falls from 1 to e^(−x), so for large logits it loses the ratio
#   altogether, which √softplus does not. And softmax couples all experts; the other two take each alone.

# %%
quote("Sources/ExpertRouting/RoutingSteps.swift", "public func affinity")

# %%
def affinity(x):
    return np.sqrt(np.logaddexp(0, x))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


for name in ("tiny/expert-routing/affinity", "odd/expert-routing/affinity-deep", "odd/expert-routing/affinity-dense"):
    golden = case(name)
    ratio = affinity(golden.inputs["logits"].astype(float)) / golden.expected["scores"]
    compare(f"{name.split('/')[-1]}, computed ÷ stored", ratio, np.ones(ratio.shape), 1e-12, label="wanted")

x = np.linspace(-8, 12, 401)
s, slope = affinity(x), sigmoid(x) / (2 * affinity(x))  # (√f)′ = f′ / (2√f), and softplus′ = σ
figure, axes = plt.subplots(1, 3, figsize=(9, 3.4))
curves = (("√softplus", BLUE, s, slope, slope / s),
          ("sigmoid", ORANGE, sigmoid(x), sigmoid(x) * sigmoid(-x), sigmoid(-x)),
          ("exp (softmax)", GREEN, np.exp(x), np.exp(x), np.ones(x.size)))
for label, colour, *values in curves:
    for axis, y in zip(axes, values):
        axis.plot(x, y, color=colour, label=label, linewidth=1.8)
axes[0].set(title="Affinity", ylabel="s (no unit)", ylim=(0, 4))
axes[1].set(title="Gradient ds/dx", ylabel="ds/dx (no unit)", ylim=(0, 0.6))
axes[2].set(title="Reaction of a ratio, d log s/dx", ylabel="d log s/dx (no unit)", ylim=(0, 1.3))
for axis in axes:
    axis.set_xlabel("logit x (no unit)")
axes[2].legend(loc="center right", bbox_to_anchor=(1, 0.55))
plt.show()
compare("slope of √softplus", np.gradient(s, x)[1:-1], slope[1:-1], 1e-3, label="by formula")

# %% [markdown]
# ## Where float32 and the formula part
# <!-- equations: 2.1-affinity -->
#
# Written as `log(1 + exp(x))` in float32, softplus overflows above 88.7 and is 0 below −16.6, where `1 + exp(x)` rounds
# to 1. The softplus of torch avoids both: above 20 it is x itself, below it uses log1p. Two edges remain. Just above 20
# the dropped `log(1 + exp(−x))` is a relative 5e-11 of the affinity: no float32 program can see it. Near −104, `exp(x)`
# leaves float32, and the score becomes 0; if all scores of a token do, its weights are 0/0. This package takes `exp(x/2)`
# out of the root, which stays a normal number down to −174.

# %%
def rounded(x):
    """To float32: what each operation of a float32 program gives."""
    return np.asarray(x, np.float32).astype(float)


def root_of_torch_softplus(x):
    """√softplus as torch computes it, rounded to float32 after each operation."""
    return rounded(np.sqrt(np.where(x > 20, x, rounded(np.log1p(rounded(np.exp(np.minimum(x, 20))))))))


def root_of_naive_softplus(x):
    return rounded(np.sqrt(rounded(np.log(rounded(1 + rounded(np.exp(x)))))))


x = rounded(np.linspace(-120, 100, 661))
with np.errstate(over="ignore"):  # the naive form above 88.7
    error, naive = (np.abs(f(x) / affinity(x) - 1) for f in (root_of_torch_softplus, root_of_naive_softplus))
print(f"the naive form overflows from logit {x[np.isinf(naive)].min():.1f} on (a point each third)")
figure, axis = plt.subplots(figsize=(8, 3.6))
axis.semilogy(x, np.maximum(naive, 1e-9), ".", color=ORANGE, markersize=3, label="log(1 + exp(x)), float32")
axis.semilogy(x, np.maximum(error, 1e-9), ".", color=BLUE, markersize=3, label="as torch has it, float32")
axis.axhline(2.0**-24, color=BLACK, linestyle="--", linewidth=1, label="half an ulp of float32")
axis.axvspan(88.7, 100, color=ORANGE, alpha=0.25, linewidth=0)
axis.annotate("log(1 + exp(x)) overflows", (94.5, 1e-4), rotation=90, ha="center", va="center")
axis.set(xlabel="logit x (no unit)", ylabel="relative error of the affinity\n(below 10⁻⁹ drawn there)",
         title="√softplus in float32", ylim=(5e-10, 30), xlim=(-125, 100))
axis.legend(loc="upper center", ncols=3)
plt.show()
for point in (20.001, 25.0):
    exact_part = np.log1p(np.exp(-point)) / point / 2  # of the root: half of the relative error of softplus
    print(f"float64, linear above 20: relative error of the affinity at {point:g}: {exact_part:.0e}")
at_100, at_104 = root_of_torch_softplus(np.array([-100.0, -104.0]))
print(f"float32, below: relative error at −100: {abs(at_100 / affinity(-100.0) - 1):.1e}, score at −104: {number(at_104)}")

low = case("tiny/expert-routing/router-underflow")
logits = low.inputs["hidden"].astype(float) @ low.weights["gate"].T
print(f"logits of {number(logits.min())} to {number(logits.max())}: torch's scores in float32 are all"
      f" {number(root_of_torch_softplus(logits).max())}, so its weights are 0/0")
chosen = np.take_along_axis(affinity(logits), low.expected["indices"], axis=1)
weights = chosen / chosen.sum(1, keepdims=True) * low.parameters["route_scale"]
compare("weights all the same", weights, low.expected["weights"], 1e-12)

# %% [markdown]
# ## The bias decides who, and not how much
# <!-- equations: 2.1-selection 2.1-weights -->
#
# ```
# 2.1-selection    the k experts with the highest  s + b        b: one number for each expert, equal scores by lower index
# 2.1-weights      w(e) = s(e) / Σ over the k chosen of s · route scale                 without b
# ```
#
# The bias b is moved during training to balance the load (below). It must not disturb the output more than that, so it
# enters the choice and nothing else. The weights of a token always sum to the route scale. The report does not say why
# there is one. What it does: it sets how much the routed experts count beside the shared one, whose weight is 1.

# %%
quote("Sources/ExpertRouting/RoutingSteps.swift", "public func selectionScores")
quote("Sources/ExpertRouting/RoutingSteps.swift", "public func normalizedWeights")

# %%
def top(scores, k):
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def weights_of(indices, scores, scale):
    chosen = np.take_along_axis(scores, indices, axis=1)
    return chosen / chosen.sum(1, keepdims=True) * scale


flash = case("published/expert-routing/router-flash-bias-decides")
w, k, scale = float64(flash.weights), flash.parameters["experts_per_token"], flash.parameters["route_scale"]
scores = affinity(flash.inputs["hidden"].astype(float) @ w["gate"].T)
indices = top(scores + w["bias"], k)
weights = weights_of(indices, scores, scale)
compare("scores", scores, flash.expected["scores"], 1e-12)
compare("experts, slot by slot", indices, flash.expected["indices"], 0)
compare("weights", weights, flash.expected["weights"], 1e-12)
compare("sum of the weights of each token", weights.sum(1), np.full(3, scale), 1e-14, label="route scale")
biased = weights_of(indices, scores + w["bias"], scale)
for token in range(3):
    same = len(set(indices[token]) & set(top(scores, k)[token]))
    print(f"token {token}: {same} of 6 experts would be chosen without the bias;"
          f" weights off by up to {np.abs(biased[token] - weights[token]).max():.2g} if it entered them")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), width_ratios=[1.5, 1])
left.plot(scores[0], (scores + w["bias"])[0], "o", color=GREY, markersize=3.5, label="not chosen")
left.plot(scores[0][indices[0]], (scores + w["bias"])[0][indices[0]], "o", color=BLUE, label="chosen: highest s + b")
plain_top = top(scores, k)[0]
left.plot(scores[0][plain_top], (scores + w["bias"])[0][plain_top], "s", markersize=9, markerfacecolor="none",
          markeredgecolor=ORANGE, label="six highest s")
left.axhline(np.sort((scores + w["bias"])[0])[-k], color=BLUE, linestyle="--", linewidth=1)
left.set(xlabel="affinity s (no unit)", ylabel="selection score s + b (no unit)", title="256 experts, token 0",
         ylim=(-2.6, 6.2))
left.legend(loc="upper left")
places = np.arange(k)
right.bar(places - 0.2, weights[0], 0.38, color=BLUE, label="from s (right)")
right.bar(places + 0.2, biased[0], 0.38, color=ORANGE, label="from s + b (a known bug)")
right.set(xlabel="expert, in slot order", ylabel="weight (no unit)", title="Weights of token 0", xticks=places,
          xticklabels=indices[0], ylim=(0, 0.44))
right.legend(loc="upper right")
plt.show()

# %% [markdown]
# All points above the dashed line are chosen, however far left they are; their weight then is given by how far *right*
# they are.
#
# ## Hash layers: the table chooses, the gate still weighs
# <!-- equations: 2.1-hash 2.1-weights -->
#
# ```
# experts of a token = row of its id in a stored table [V, k]          weights: from the gate, as everywhere
# ```
#
# In the first 3 layers (dense layers in V3) the choice is made by the token id alone: the report says "a predefined hash
# function", the checkpoint stores the finished table `tid2eid`. There is a gate all the same. Its affinities are taken
# at the experts of the row, normalised and scaled, so the same token always meets the same experts, but with weights
# that depend on its context. There is no bias there; one that a checkpoint carries is ignored. The report gives no
# reason for choosing by table.

# %%
quote("Sources/ExpertRouting/RoutingSteps.swift", "public func tableRows")

# %%
hashed = case("published/expert-routing/hash-router-flash")
w = float64(hashed.weights)
scores = affinity(hashed.inputs["hidden"].astype(float) @ w["gate"].T)
indices = w["token_experts"][hashed.inputs["token_ids"]]
weights = weights_of(indices, scores, hashed.parameters["route_scale"])
compare("experts of the rows", indices, hashed.expected["indices"], 0)
compare("weights", weights, hashed.expected["weights"], 1e-12)
kept = [len(set(a) & set(b)) for a, b in zip(indices, top(scores, 6))]
print("of its six experts the gate itself would have chosen:", ", ".join(map(str, kept)), "(five tokens)")


def traced(ids, *taps):
    """Values of a tiny model with two hash layers, on these token ids."""
    with tempfile.TemporaryDirectory() as folder:
        tiny, out = f"{folder}/tiny", f"{folder}/trace.h5"
        oracle("checkpoint", "synthesize", "--preset", "tiny", "--format", "float32", "--seed", "1", "--out", tiny)
        oracle("trace", "--checkpoint", tiny, "--precision", "double", "--text-ids", ids, "--out", out)
        with h5py.File(out) as file:
            return [file[f"calls/0000/{tap}"][()] for tap in taps]


tokens = [7, 30, 7, 12, 41, 7, 3, 7]
gate = "layers.1.ffn.gate"
chosen, given, traced_scores = traced(",".join(map(str, tokens)), f"{gate}.indices", f"{gate}.weights", f"{gate}.scores")
compare("weights of the trace", weights_of(chosen, traced_scores, 1.5), given, 1e-12, label="traced")
for position in np.flatnonzero(np.array(tokens) == 7):
    print(f"token 7 at position {position}: experts {chosen[position]}, weights",
          " ".join(f"{value:.4f}" for value in given[position]))

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[1.5, 1])
order = np.argsort(-scores[0])
rank = np.empty(256, int)
rank[order] = np.arange(256)
left.plot(np.arange(256), scores[0][order], color=BLACK, linewidth=1.2, label="all experts, sorted")
left.plot(np.arange(6), scores[0][order[:6]], "s", color=BLUE, label="a learned layer's choice")
left.plot(rank[indices[0]], scores[0][indices[0]], "o", color=ORANGE, markersize=7, label="the row of the table")
left.set(xlabel="rank of the expert by affinity", ylabel="affinity s (no unit)", title="Hash layer: token 0")
left.legend()
right.bar(np.arange(6), weights[0], 0.6, color=ORANGE, label="from the gate")
right.axhline(1.5 / 6, color=BLACK, linestyle="--", linewidth=1, label="uniform")
right.set(xlabel="expert, in slot order", ylabel="weight (no unit)", title="Weights of token 0", xticks=range(6),
          xticklabels=indices[0], ylim=(0, 0.5))
right.legend(loc="upper right")
plt.show()

# %% [markdown]
# ## One expert, and why it clamps
# <!-- equations: 2.1-expert 2.1-clamp -->
#
# ```
# 2.1-clamp     gate = min(W₁ x, 10)        up = clamp(W₃ x, −10, 10)
# 2.1-expert    output = W₂ (w · SiLU(gate) · up)                            SiLU(g) = g σ(g)
# ```
#
# A product of two large numbers is a very large one. The clamp bounds each product by 10 · SiLU(10) = 99.995. The gate
# is capped above only: SiLU of a very negative number is nearly 0 anyway. The slot weight w multiplies **before** the
# down projection; in exact arithmetic that is the same as after, in the deployed model it is what FP8 gets to see.

# %%
quote("Sources/ExpertRouting/ExpertSteps.swift", "public func gatedProduct")
quote("Sources/ExpertRouting/ExpertSteps.swift", "public func downProjection")

# %%
def swiglu(gate, up, limit, lowest=-np.inf):
    gate, up = np.clip(gate, lowest, limit), np.clip(up, -limit, limit)
    return gate * sigmoid(gate) * up


golden = case("published/expert-routing/expert-flash")
w, hidden = float64(golden.weights), golden.inputs["hidden"].astype(float)
slots, limit = golden.inputs["slot_weights"].astype(float)[:, None], golden.parameters["clamp_limit"]
gate, up = hidden @ w["gate_projection"].T, hidden @ w["up_projection"].T
activation = slots * swiglu(gate, up, limit)
open_activation = slots * swiglu(gate, up, np.inf)
compare("activation", activation, golden.expected["activation"], 1e-12)
output, open_output = activation @ w["down_projection"].T, open_activation @ w["down_projection"].T
compare("output", output, golden.expected["output"], 1e-11)
compare("weight after the down projection", slots * (swiglu(gate, up, limit) @ w["down_projection"].T), output, 1e-11, label="before it")
beyond = (gate > limit) | (np.abs(up) > limit)
print(f"beyond the limit: {beyond.sum()} of {beyond.size} products; largest activation {number(np.abs(activation).max())},"
      f" without the clamp {number(np.abs(open_activation).max())}")
print(f"largest output {number(np.abs(output).max())}; without the clamp it is off by up to"
      f" {number(np.abs(open_output - output).max())}")
print(f"largest product there can be: 10 · SiLU(10) = {number(100 * sigmoid(10))}")

figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.6))
g = np.linspace(-15, 25, 401)
left.plot(g, g * sigmoid(g), color=ORANGE, linestyle="--", label="SiLU(g)")
left.plot(g, np.minimum(g, 10) * sigmoid(np.minimum(g, 10)), color=BLUE, label="SiLU(min(g, 10))")
left.set(xlabel="gate g before the clamp (no unit)", ylabel="SiLU (no unit)", title="Capped above only")
left.legend()
right.plot(np.abs(open_activation), np.abs(activation), "o", color=BLUE, markersize=3)
right.plot([1e-6, 1e3], [1e-6, 1e3], color=BLACK, linewidth=1)
right.set(xscale="log", yscale="log", xlabel="|activation| without clamp (no unit)",
          ylabel="|activation| with clamp (no unit)", title="The case expert-flash", xlim=(1e-6, 1e3), ylim=(1e-6, 1e3))
plt.show()

# %% [markdown]
# On the diagonal nothing was clamped. The largest activations are the ones that it takes hold of, and they are what an
# output mostly consists of: a missing clamp is a large error, but only for tokens with such activations. A test with
# small inputs does not see it.
#
# ## The whole layer
# <!-- equations: 2.1-mixture 2.1-shared-expert 2.1-expert 2.1-clamp -->
#
# ```
# output(t) = Σ over the k slots of expert(x(t), weight of the slot) + shared expert(x(t), 1)
# ```
#
# The shared expert serves every token with weight 1: neither the route scale nor the gate touches it, but the clamp
# does (in the first revision of the released code it did not). Here is a whole layer, with one option for each of some
# known bugs; `v4-oracle engine --bug ID` plays an engine that has one, and has to give the same wrong numbers.

# %%
quote("Sources/ExpertRouting/MixtureOfExperts.swift", "public func callAsFunction")

# %%
layer = case("odd/expert-routing/mixture-large-limit")
p, w, hidden = layer.parameters, float64(layer.weights), layer.inputs["hidden"].astype(float)


def expert(x, gate_projection, up_projection, down_projection, weight, product):
    return weight * product(x @ gate_projection.T, x @ up_projection.T) @ down_projection.T


def mixture(bias_in_weights=False, normalise=True, scale=p["route_scale"], affinity=affinity, product=None, shared=None):
    limit = p["clamp_limit"]
    product = product or (lambda gate, up: swiglu(gate, up, limit))
    shared = shared or product
    scores = affinity(hidden @ w["gate"].T)
    indices = top(scores + w["bias"], p["experts_per_token"])
    weights = np.take_along_axis(scores + w["bias"] if bias_in_weights else scores, indices, axis=1)
    weights = (weights / weights.sum(1, keepdims=True) if normalise else weights) * scale
    projections = ("gate_projection", "up_projection", "down_projection")
    routed = [sum(expert(x, *(w[name][e] for name in projections), v, product) for e, v in zip(chosen, values))
              for x, chosen, values in zip(hidden, indices, weights)]
    common = expert(hidden, *(w[f"shared_{name}"] for name in projections), 1, shared)
    return {"routed": np.array(routed), "shared": common, "output": np.array(routed) + common}


def engine_with(bug):
    """What the Swift reference gives for the same case with a known bug planted in it."""
    with tempfile.TemporaryDirectory() as folder:
        run = {"type": "run", "id": "1", "case": layer.entry["id"], "operation": "mixture",
               "file": str(Path("golden", layer.entry["file"]).resolve()), "result": f"{folder}/out.h5"}
        messages = "\n".join(map(json.dumps, [{"type": "start", "protocol": 1}, run, {"type": "stop"}]))
        command = [executable(), "engine", "--precision", "double", "--bug", bug]
        subprocess.run(command, input=messages + "\n", capture_output=True, text=True, check=True)
        with h5py.File(f"{folder}/out.h5") as file:
            return {name: data[()] for name, data in file.items()}


right_values = mixture()
for name in ("routed", "shared", "output"):
    compare(name, right_values[name], layer.expected[name], 1e-11)


def unclamped(gate, up):
    return swiglu(gate, up, np.inf)


def clamped(gate, up):
    return swiglu(gate, up, p["clamp_limit"])


BUGS = {
    "router-sigmoid-scores": {"affinity": sigmoid},
    "router-bias-in-weights": {"bias_in_weights": True},
    "router-weights-not-normalized": {"normalise": False},
    "router-scale-missing": {"scale": 1},
    "swiglu-clamp-missing-routed": {"product": unclamped, "shared": clamped},
    "swiglu-clamp-missing-shared": {"shared": unclamped},
    "swiglu-clamp-after-product": {"product": lambda g, u: np.clip(unclamped(g, u), -10, 10)},
    "swiglu-gate-clamped-below": {"product": lambda g, u: swiglu(g, u, 10, lowest=-10)},
}
size = np.abs(right_values["output"]).max()
errors = {}
for bug, change in BUGS.items():
    wrong = mixture(**change)["output"]
    compare(bug, wrong, engine_with(bug)["output"], 1e-11, label="in Swift")
    errors[bug] = np.abs(wrong - right_values["output"]).max() / size
assert errors["swiglu-gate-clamped-below"] < 1e-3

figure, axis = plt.subplots(figsize=(8, 3.6))
ordered = sorted(errors, key=errors.get)
for bug in ordered:
    axis.plot(errors[bug], bug, "o", color=ORANGE if "swiglu" in bug else BLUE, markersize=8)
axis.set(xscale="log", xlabel="largest error of the output, as a part of the largest output (no unit)",
         title="Known bugs in one expert layer: clamp (orange), router (blue)")
plt.show()

# %% [markdown]
# The leftmost dot is the gate that is clamped below, too: SiLU(−10) is −0.00045, whatever the gate was. It is the bug
# that a tolerance of one per mille would let through.
#
# ## What the bias is for: load
# <!-- equations: 2.1-selection -->
#
# Nothing in a top-k makes experts equally busy. DeepSeek balances without a strong auxiliary loss: after each step of
# training the bias of an expert goes **down** by a fixed speed if it got more than its share of tokens, and **up** if
# less. The report gives the speed, 0.001 (and a slight sequence-wise loss beside it, which is left out here). This
# package has no training; the loop below is the rule alone, on a random router of 64 experts and random tokens that
# share a common direction, which makes the load very uneven.

# %%
random = np.random.default_rng(5)
E, K, WIDTH, BATCH, SPEED = 64, 6, 32, 512, 0.001
random_gate = random.standard_normal((E, WIDTH)) / np.sqrt(WIDTH)
common = random.standard_normal(WIDTH)


def load(bias, count):
    tokens = common + random.standard_normal((count, WIDTH))
    return np.bincount(top(affinity(tokens @ random_gate.T) + bias, K).ravel(), minlength=E) / (count * K / E)


bias, history = np.zeros(E), []
for step in range(1501):
    loads = load(bias, BATCH)
    history.append(loads.max())
    bias += SPEED * np.sign(1 - loads)
before, after = load(np.zeros(E), 16384), load(bias, 16384)
for name, loads in (("without bias", before), ("with bias", after)):
    print(f"{name:13}: busiest expert {loads.max():.2f} of its share, idlest {loads.min():.2f},"
          f" {np.count_nonzero(loads < 0.1)} experts below a tenth")
print(f"biases from {bias.min():.2f} to {bias.max():.2f}")
chance = np.random.default_rng(6)
even = np.mean([np.bincount(chance.random((BATCH, E)).argsort(1)[:, :K].ravel(), minlength=E).max() / (BATCH * K / E)
                for _ in range(200)])
print(f"six of 64 by lot for {BATCH} tokens: busiest expert {even:.2f} of its share, mean of 200 batches;"
      f" the rule at the end: {np.mean(history[-200:]):.2f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
left.plot(np.sort(before)[::-1], color=ORANGE, marker="o", markersize=3, label="without bias")
left.plot(np.sort(after)[::-1], color=BLUE, marker="o", markersize=3, label="after 1500 steps")
left.axhline(1, color=BLACK, linestyle="--", linewidth=1)
left.set(xlabel="expert, busiest first (rank)", ylabel="load (1 = its share)", title="Load of 64 experts")
left.legend()
right.plot(history, color=BLUE, linewidth=1, label="the rule")
right.axhline(even, color=BLACK, linestyle="--", linewidth=1, label="six by lot")
right.legend()
right.set(xlabel="step (512 tokens each)", ylabel="load of the busiest (1 = its share)", title="While the bias learns",
          ylim=(0, None))
plt.show()

# %% [markdown]
# On the right the busiest expert ends near 1.3, on the left at 1.07. The difference is chance: the left counts 16,384
# tokens, each step on the right 512, and so few are uneven even where all experts are drawn by lot (dashed).
#
# The bias moves the border of the choice until the load is even; how much an expert counts once it is chosen stays with
# the affinity. In a hash layer there is nothing to move: its load follows from the table and from how frequent tokens
# are.
#
# ## Exercises
#
# 1. With softmax over all experts as the affinity, and the weights of the chosen ones divided by their sum: does it
#    matter whether the softmax ran over all 256 logits or over the 6 chosen ones? And with √softplus, may one add the
#    same number to all logits of a token? (Hint: what cancels in the ratio?)
# 2. A token has six chosen experts with the logits 4, 3, 2, 1, 0, −1. What is the weight of the best one with √softplus,
#    with sigmoid, with softmax, before the route scale?
# 3. Why is the affinity 0 a problem, but 1e-33 not?
#
# <details><summary>Solutions</summary>
#
# 1. It does not: the sum over all experts cancels. Adding a number to all logits cancels for softmax, too, but not for
#    √softplus nor sigmoid: their weights depend on the level, not on differences alone.
# 2. 0.259, 0.228 and 0.634. The first two spread the weight; softmax gives most of it to one expert.
# 3. Weights are ratios. 1e-33 / 4e-33 is 0.25; 0 / 0 is no number.
#
# </details>
#
# ## Computed solutions
#
# Exercise 2, all six weights:

# %%
logits = np.array([4, 3, 2, 1, 0, -1.0])
for name, values in (("√softplus", affinity(logits)), ("sigmoid", sigmoid(logits)), ("softmax", np.exp(logits))):
    print(f"{name:10}", " ".join(f"{value:.3f}" for value in values / values.sum()))
