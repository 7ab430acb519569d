# %% [markdown]
# # My engine gives other logits. Which step is wrong?
#
# Report sections 2.1 and 2.2: how the whole model is put together; and the tools of this repository. You should have a
# rough idea of what a layer consists of; the notebooks 1 to 5 have the details.
#
# An engine of DeepSeek-V4 is some forty steps in each of forty to sixty layers. When its logits are wrong, everything
# after the wrong step is wrong, too. This notebook writes a small engine in NumPy, plants mistakes that real engines
# had, and finds them: `compare` says *that* and *from where on* values differ, `explain` says *which step* made the
# error, and which known bug it is.

# %%
import json
import sys
import tempfile
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap, LogNorm
from study import COLOURS, case, compare, oracle, oracle_json, quote
from study.command import executable

sys.path.insert(0, "golden/python")
from v4oracle import TraceWriter, read_tensors, write_tensors  # the package for engines in Python

BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK = COLOURS
GREY = "#C8C8C8"
FOLDER = tempfile.TemporaryDirectory()


def path(name):
    return f"{FOLDER.name}/{name}"


# %% [markdown]
# ## The order of things
# <!-- equations: 2.2-block 2.2-expand 2.1-mtp -->
#
# ```
# 2.2-expand    streams(t) = n copies of the embedding of token t                                [T, n, d]
# 2.2-block     each layer:  streams → [pre-mix → RMSNorm → attention → post-mix]
#                                    → [pre-mix → RMSNorm → experts   → post-mix] → streams
#               then:        head (a gated sum of the streams) → RMSNorm → LM head → logits
# 2.1-mtp       one more block: from the streams at position i and token i + 1 to logits of token i + 2
# ```
#
# A bracket is a *site* of the hyper-connections. Which attention a layer has, says its compression ratio: 0 is the
# window alone, 4 is CSA, anything larger HCA. Flash begins with two layers of 0 and then alternates 4 and 128; its last
# layer is CSA. In the first three layers experts are chosen by a table.

# %%
quote("Sources/DeepSeekV4/Configuration/ModelConfiguration+Presets.swift", "public static let flash")
quote("Sources/DeepSeekV4/Model/TransformerBlock.swift", "public func callAsFunction")

# %% [markdown]
# The tiny model of this notebook has three layers (window, HCA with ratio 8, window; the first two with hash routing)
# and an MTP block. Its trace says of each value from which others it was computed. The picture shows one layer; each
# of its arrows is looked up in the trace.

# %%
MODEL, TOKENS = path("model"), [5, 17, 9, 30, 2, 41, 8, 8, 23, 11, 46, 3, 19, 7, 28, 33, 12, 40, 6, 25]
IDS = ",".join(map(str, TOKENS))
oracle("checkpoint", "synthesize", "--preset", "tiny", "--ratios", "0,8,0", "--format", "float32", "--seed", "1",
       "--out", MODEL)
oracle("trace", "--checkpoint", MODEL, "--precision", "double", "--text-ids", IDS, "--out", path("expected.h5"))
with h5py.File(path("expected.h5")) as file:
    expected = {tap: data[()] for tap, data in file["calls/0000"].items()}
    parents = {tap: set(data.attrs["parents"].decode().split()) if "parents" in data.attrs else set()
               for tap, data in file["calls/0000"].items()}


def box(axis, x, y, text, colour):
    return axis.text(x, y, text, ha="center", va="center", fontsize=9,
                     bbox={"boxstyle": "round,pad=0.4", "facecolor": colour, "edgecolor": BLACK, "linewidth": 0.8})


def arrow(axis, start, end, bend=0):
    axis.annotate("", end.get_position(), start.get_position(), arrowprops={
        "arrowstyle": "-|>", "color": BLACK, "connectionstyle": f"arc3,rad={bend}", "shrinkA": 0, "shrinkB": 0,
        "patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()})


def draw_site(axis, y, part, before):
    """A site with its layer; every arrow from a parent is looked up, through the coefficients where there are some."""
    at = f"layers.1.hc_{part}"
    names = {"before": before, "mixes": f"{at}.mixes", "input": f"{at}.layer_input",
             "hidden": f"layers.1.{part}.hidden", "output": f"layers.1.{part}.output", "after": f"{at}.streams"}
    where = {"before": (0, y), "mixes": (1.5, y - 1), "input": (1.5, y), "hidden": (3, y), "output": (4.4, y),
             "after": (6, y)}
    colours = {"before": "#CFE6F5", "after": "#CFE6F5"}
    boxes = {key: box(axis, *where[key], name.replace("layers.", ""), colours.get(key, "white"))
             for key, name in names.items()}
    for start, end, bend in (("before", "input", 0), ("before", "mixes", 0), ("input", "hidden", 0),
                             ("output", "after", 0), ("before", "after", -0.2)):
        assert names[start] in parents[names[end]], (start, end)
        arrow(axis, boxes[start], boxes[end], bend)
    for gate, end in (("pre", "input"), ("post", "after"), ("combination", "after")):
        assert f"{at}.{gate}" in parents[names[end]]
    arrow(axis, boxes["mixes"], boxes["input"])
    arrow(axis, boxes["mixes"], boxes["after"], 0.12)
    arrow(axis, boxes["hidden"], boxes["output"])
    layer = {"attn": "attention", "ffn": "experts"}[part]
    for x, height, text in ((2.3, 0.13, "RMSNorm"), (3.7, 0.13, layer), (1.58, -0.55, "A"), (4.4, -1.0, "C and B"),
                            (3, 0.93, "B · streams: the residual")):
        axis.text(x, y + height, text, ha="center", fontsize=9, color=ORANGE)


figure, axis = plt.subplots(figsize=(9, 4.6))
axis.set(xlim=(-0.6, 6.6), ylim=(-0.4, 4.3))
axis.axis("off")
draw_site(axis, 3.1, "attn", "layers.0.hc_ffn.streams")
draw_site(axis, 0.8, "ffn", "layers.1.hc_attn.streams")
axis.set_title("Layer 1: values by their names in a trace (streams are [T, n, d], the others of the upper rows [T, d])")
plt.show()
compare("streams are n copies of the embedding", expected["streams"],
        np.repeat(expected["embedding"][:, None], 4, axis=1), 0)

# %% [markdown]
# ## A small engine
# <!-- equations: 2.2-block 2.2-expand -->
#
# All of it in NumPy: prefill, float64, no cache. Each piece is a method, so that a wrong engine is a subclass with one
# wrong method. `self.tap` hands a value on and records it under the name that `v4-oracle taps` lists.

# %%
def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


class Parts:
    """Configuration, weights, the trace, and hyper-connections."""

    def __init__(self, checkpoint, writer=None, wanted=lambda tap: True):
        self.c = json.loads(Path(checkpoint, "config.json").read_text())
        tensors = read_tensors(Path(checkpoint, "model.safetensors"))
        self.w = {name.removesuffix(".weight"): x.astype(float) if x.dtype.kind == "f" else x
                  for name, x in tensors.items()}
        self.writer, self.wanted = writer, wanted

    def tap(self, name, value):
        if self.writer is not None and self.wanted(name):
            self.writer.record(name, value)
        return value

    def rms(self, x, weight=1.0):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + self.c["rms_norm_eps"]) * weight

    def mixes(self, streams, name):
        flat = streams.reshape(len(streams), -1)
        return self.rms(flat) @ self.w[f"{name}_fn"].T

    def gates(self, mixes, name):
        n, scale, base = self.c["hc_mult"], self.w[f"{name}_scale"], self.w[f"{name}_base"]
        pre = sigmoid(mixes[:, :n] * scale[0] + base[:n]) + self.c["hc_eps"]
        post = 2 * sigmoid(mixes[:, n : 2 * n] * scale[1] + base[n : 2 * n])
        return pre, post, (mixes[:, 2 * n :] * scale[2] + base[2 * n :]).reshape(-1, n, n)

    def sinkhorn(self, logits):
        epsilon = self.c["hc_eps"]
        comb = softmax(logits, -1) + epsilon
        comb = comb / (comb.sum(-2, keepdims=True) + epsilon)
        for _ in range(self.c["hc_sinkhorn_iters"] - 1):
            comb = comb / (comb.sum(-1, keepdims=True) + epsilon)
            comb = comb / (comb.sum(-2, keepdims=True) + epsilon)
        return comb

    def site(self, streams, block, kind, layer):
        at = f"{block}hc_{kind}"
        mixes = self.tap(f"{at}.mixes", self.mixes(streams, at))
        pre, post, logits = self.gates(mixes, at)
        self.tap(f"{at}.pre", pre), self.tap(f"{at}.post", post), self.tap(f"{at}.combination_logits", logits)
        comb = self.tap(f"{at}.combination", self.sinkhorn(logits))
        x = self.tap(f"{at}.layer_input", np.einsum("tn,tnd->td", pre, streams))
        output = layer(self.tap(f"{block}{kind}.hidden", self.rms(x, self.w[f"{block}{kind}_norm"])))
        residual = np.einsum("tij,tid->tjd", comb, streams)
        return self.tap(f"{at}.streams", residual + post[:, :, None] * output[:, None])

    def head(self, streams, at):
        mixes = self.tap(f"{at}.mixes", self.mixes(streams, at))
        gates = sigmoid(mixes * self.w[f"{at}_scale"] + self.w[f"{at}_base"]) + self.c["hc_eps"]
        self.tap(f"{at}.gates", gates)
        return self.tap(f"{at}.collapsed", np.einsum("tn,tnd->td", gates, streams))


# %%
class Attention(Parts):
    """Window and HCA."""

    def rotate(self, x, positions, ratio, sign=1):
        r, yarn = self.c["qk_rope_head_dim"], self.c["rope_scaling"]
        j = np.arange(r // 2)
        f = self.c["compress_rope_theta" if ratio else "rope_theta"] ** (-2 * j / r)
        if ratio:
            betas = np.array([yarn["beta_fast"], yarn["beta_slow"]])
            turns = yarn["original_max_position_embeddings"] / (2 * np.pi * betas)
            low, high = r * np.log(turns) / (2 * np.log(self.c["compress_rope_theta"]))
            low, high = max(np.floor(low), 0), min(np.ceil(high), r - 1)
            ramp = np.clip((j - low) / (high - low or 0.001), 0, 1)
            f = f / yarn["factor"] * ramp + f * (1 - ramp)
        turn = np.exp(1j * sign * np.outer(positions, f)).reshape(len(positions), *[1] * (x.ndim - 2), r // 2)
        z = (x[..., -r::2] + 1j * x[..., -r + 1 :: 2]) * turn
        return np.concatenate([x[..., :-r], np.stack([z.real, z.imag], -1).reshape(*x.shape[:-1], r)], -1)

    def visible_entries(self, t, ratio):
        return (t + 1) // ratio

    def visible_window(self, t):
        return range(max(0, t - self.c["sliding_window"] + 1), t + 1)

    def compressed(self, hidden, at, ratio):
        values = self.tap(f"{at}compressor.key_values", hidden @ self.w[f"{at}compressor.wkv"].T)
        scores = self.tap(f"{at}compressor.scores", hidden @ self.w[f"{at}compressor.wgate"].T)
        whole = len(hidden) // ratio * ratio
        values, scores = (x[:whole].reshape(-1, ratio, x.shape[1]) for x in (values, scores))
        pooled = (softmax(scores + self.w[f"{at}compressor.ape"], 1) * values).sum(1)
        self.tap(f"{at}compressor.pooled", pooled)
        normal = self.tap(f"{at}compressor.normalized", self.rms(pooled, self.w[f"{at}compressor.norm"]))
        rotated = self.rotate(normal, ratio * np.arange(len(normal)), ratio)
        self.tap(f"{at}compressor.rotated", rotated)
        return self.tap(f"{at}compressed_entries", rotated)

    def attend(self, queries, window, entries, at, ratio):
        outputs = []
        for t, query in enumerate(queries):
            read = window[self.visible_window(t)]
            if ratio:
                read = np.concatenate([read, entries[: self.visible_entries(t, ratio)]])
            powers = np.exp(query @ read.T / np.sqrt(read.shape[1]))
            outputs.append(powers @ read / (powers.sum(1) + np.exp(self.w[f"{at}attn_sink"]))[:, None])
        return np.array(outputs)

    def derotated(self, attended, positions, ratio):
        return self.rotate(attended, positions, ratio, sign=-1)

    def attention(self, hidden, at, ratio):
        w, positions = self.w, np.arange(len(hidden))
        projected = self.tap(f"{at}query_latent_projected", hidden @ w[f"{at}wq_a"].T)
        latent = self.tap(f"{at}query_latent", self.rms(projected, w[f"{at}q_norm"]))
        heads = (latent @ w[f"{at}wq_b"].T).reshape(len(hidden), self.c["num_attention_heads"], -1)
        self.tap(f"{at}query_heads", heads)
        normal = self.tap(f"{at}query_heads_normalized", self.rms(heads))
        queries = self.tap(f"{at}queries", self.rotate(normal, positions, ratio))
        projected = self.tap(f"{at}window_projected", hidden @ w[f"{at}wkv"].T)
        normal = self.tap(f"{at}window_normalized", self.rms(projected, w[f"{at}kv_norm"]))
        rotated = self.tap(f"{at}window_rotated", self.rotate(normal, positions, ratio))
        window = self.tap(f"{at}window_entries", rotated)
        entries = self.compressed(hidden, at, ratio) if ratio else None
        attended = self.tap(f"{at}attended_rotated", self.attend(queries, window, entries, at, ratio))
        attended = self.tap(f"{at}attended", self.derotated(attended, positions, ratio))
        groups = attended.reshape(len(hidden), self.c["o_groups"], -1)
        down = w[f"{at}wo_a"].reshape(self.c["o_groups"], -1, groups.shape[2])
        latents = self.tap(f"{at}group_latents", np.einsum("tgv,gpv->tgp", groups, down).reshape(len(hidden), -1))
        return self.tap(f"{at}output", latents @ w[f"{at}wo_b"].T)


# %%
class Engine(Attention):
    """Experts, blocks, the MTP block, the whole."""

    def top(self, scores):
        return np.argsort(-scores, axis=1, kind="stable")[:, : self.c["num_experts_per_tok"]]

    def slot_weights(self, scores, selection_scores, indices):
        chosen = np.take_along_axis(scores, indices, axis=1)
        return chosen / chosen.sum(1, keepdims=True) * self.c["routed_scaling_factor"]

    def expert(self, hidden, at, slot, weight):
        """One slot of all tokens: each with its own matrices w1 (gate), w3 (up), w2 (down) of shape [T, …]."""
        limit = self.c["swiglu_limit"]
        gate, up = (np.einsum("td,tfd->tf", hidden, slot(name)) for name in ("w1", "w3"))
        capped = np.minimum(gate, limit)
        activation = weight[:, None] * capped * sigmoid(capped) * np.clip(up, -limit, limit)
        return gate, up, activation, np.einsum("tf,tdf->td", activation, slot("w2"))

    def experts(self, hidden, at, ids, by_table):
        w = self.w
        scores = self.tap(f"{at}gate.scores", np.sqrt(np.logaddexp(
            0, self.tap(f"{at}gate.logits", hidden @ w[f"{at}gate"].T))))
        if by_table:
            selection_scores, indices = scores, w[f"{at}gate.tid2eid"][ids]
        else:
            selection_scores = self.tap(f"{at}gate.selection_scores", scores + w[f"{at}gate.bias"])
            indices = self.top(selection_scores)
        self.tap(f"{at}gate.indices", indices)
        weights = self.tap(f"{at}gate.weights", self.slot_weights(scores, selection_scores, indices))
        parts = [self.expert(hidden, at, lambda name: np.array([w[f"{at}experts.{e}.{name}"] for e in slot]), weight)
                 for slot, weight in zip(indices.T, weights.T)]
        shared = self.expert(hidden, at, lambda name: np.array([w[f"{at}shared_experts.{name}"]] * len(hidden)),
                             np.ones(len(hidden)))
        for number, name in enumerate(("gate", "up", "activation", "output")):
            routed = self.tap(f"{at}experts.{name}", np.stack([part[number] for part in parts], 1))
            self.tap(f"{at}shared_experts.{name}", shared[number][:, None])
        return self.tap(f"{at}output", self.tap(f"{at}routed", routed.sum(1)) + shared[3])

    def block(self, streams, at, ids, ratio, by_table):
        streams = self.site(streams, at, "attn", lambda hidden: self.attention(hidden, f"{at}attn.", ratio))
        return self.site(streams, at, "ffn", lambda hidden: self.experts(hidden, f"{at}ffn.", ids, by_table))

    def paired(self, ids, streams):
        """What an MTP block joins: the streams at i, and token i + 1."""
        return streams[:-1], ids[1:]

    def all_streams(self, streams):
        return streams

    def predict(self, ids, streams):
        at, w = "mtp.0.", self.w
        streams, ids = self.paired(np.asarray(ids), streams)
        embedding = self.tap(f"{at}paired_embedding", w["embed"][ids])
        streams = self.all_streams(self.tap(f"{at}paired_streams", streams))
        e = self.tap(f"{at}embedding_normalized", self.rms(embedding, w[f"{at}enorm"]))
        h = self.tap(f"{at}streams_normalized", self.rms(streams, w[f"{at}hnorm"]))
        e = self.tap(f"{at}embedding_projected", e @ w[f"{at}e_proj"].T)
        h = self.tap(f"{at}streams_projected", h @ w[f"{at}h_proj"].T)
        streams = self.block(self.tap(f"{at}projected", h + e[:, None]), at, ids, 0, False)
        hidden = self.rms(self.head(streams, f"{at}hc_head"), w[f"{at}norm"])
        return self.tap(f"{at}logits", self.tap(f"{at}hidden", hidden) @ w["head"].T)

    def run(self, ids):
        embedding = self.tap("embedding", self.w["embed"][ids])
        streams = self.tap("streams", np.repeat(embedding[:, None], self.c["hc_mult"], axis=1))
        for l in range(self.c["num_hidden_layers"]):
            streams = self.block(streams, f"layers.{l}.", np.asarray(ids), self.c["compress_ratios"][l],
                                 l < self.c["num_hash_layers"])
        hidden = self.tap("hidden", self.rms(self.head(streams, "hc_head"), self.w["norm"]))
        self.predict(ids, streams)
        return self.tap("logits", hidden @ self.w["head"].T)


def record(kind, name, tokens=TOKENS, checkpoint=MODEL, wanted=lambda tap: True):
    """Runs an engine of a kind, writes its trace. -> the file's path"""
    with TraceWriter(path(name), "fp64", angles="exact", producer=kind.__name__) as writer:
        writer.call(0, tokens)
        kind(checkpoint, writer, wanted).run(tokens)
    return path(name)


mine = record(Engine, "right.h5")
with h5py.File(mine) as file:
    got = {tap: data[()] for tap, data in file["calls/0000"].items()}
assert set(got) == set(expected)
for tap in ("layers.1.hc_ffn.streams", "layers.2.ffn.gate.indices", "logits", "mtp.0.logits"):
    compare(tap, got[tap], expected[tap], 1e-11)
print("compare:", oracle("compare", path("expected.h5"), mine, "--quiet").strip())
told = oracle_json("explain", mine, "--checkpoint", MODEL, "--json", "-")
print(f"explain: {told['recordedTaps']} of {told['passedTaps']} values recorded, passed: {told['passed']}")
assert told["passed"] and told["recordedTaps"] == told["passedTaps"]

# %% [markdown]
# Our engine and the Swift one agree in all 199 values of the trace. That two programs agree may be because one was
# written with an eye on the other. So here are golden cases of whole models, made by neither: their weights come from
# a generator, which the command has, too.

# %%
class Collected(dict):
    record = dict.__setitem__


for name in ("language-model", "multi-token-prediction"):
    golden = case(f"tiny/{name}/sliding-window-only")
    Path(path(f"{name}.json")).write_text(golden.parameters["config"])
    oracle("checkpoint", "synthesize", "--config", path(f"{name}.json"), "--format", golden.parameters["weight_format"],
           "--seed", golden.parameters["weights_seed"], "--out", path(name))
    values = Collected()
    Engine(path(name), values).run(golden.inputs["token_ids"])
    for tensor, stored in golden.expected.items():
        tap = tensor.replace(".streams", ".hc_ffn.streams").replace("ffn.indices", "ffn.gate.indices")
        if not tensor.endswith("margin"):
            compare(f"golden {tensor}", values[tap], stored, 1e-11)

# %% [markdown]
# Now it gets worse.
#
# ## Day 1: the logits differ
#
# One line is wrong: in HCA, query t sees ⌊t/m⌋ entries in place of ⌊(t + 1)/m⌋ (notebook 3). First what most people
# look at: the logits.

# %%
class DayOne(Engine):
    def visible_entries(self, t, ratio):
        return t // ratio


wrong = record(DayOne, "day-one.h5")
report = oracle_json("compare", path("expected.h5"), wrong, "--logits", "--json", "-", status=1)["logits"]
print(f"same highest logit at {report['agreements']} of {report['positions']} positions;"
      f" divergence: mean {report['meanKL']:.2g} nats,"
      f" worst {report['worstKL']:.2g} at position {report['worstPosition']}")


def logits_of(file):
    with h5py.File(file) as opened:
        return opened["calls/0000/logits"][()]


off = np.abs(logits_of(wrong) - expected["logits"]).max(1)
figure, axis = plt.subplots(figsize=(8, 3))
axis.bar(range(len(TOKENS)), np.where(off > 1e-9, off, np.nan), color=ORANGE)
axis.set(yscale="log", ylim=(1e-3, 10), xlabel="position (tokens)", xlim=(-0.6, 19.6), xticks=range(20),
         ylabel="largest error of a logit", title="Logits of an engine with one wrong line (no bar: right)")
plt.show()
print("positions with wrong logits:", np.flatnonzero(off > 1e-9).tolist())

# %% [markdown]
# A demo of this engine looks perfect: the most likely token is the same **everywhere**, so greedy text is the same. A
# test of 7 tokens passes, whatever it compares: no block of 8 is complete before token 7. Then most positions are
# wrong, although only queries 7 and 15 see the wrong entries: their streams are read by the queries after them, here
# through the window of 6 tokens in layer 2.
#
# Logits can say no more than that. What `compare` advises is to dump the streams after each layer, and then everything
# in the first layer that differs. We have everything.
#
# ## Where do values part?

# %%
def compared(file):
    """For each tap: largest error in units of the scale, and whether it fails."""
    report = oracle_json("compare", path("expected.h5"), file, "--json", "-", status=1)
    found = {}
    for tensor in report["tensors"]:
        errors = tensor.get("errors", {"largest": 0, "scale": 1})  # a selection has none
        if not tensor["name"].endswith("token_ids"):
            found[tensor["name"].removeprefix("calls/0000/")] = (errors["largest"] / errors["scale"],
                                                                 tensor["verdict"] == "fail")
    return found


found = compared(wrong)
failing = [tap for tap, (_, fails) in found.items() if fails]
print(f"compare: {len(failing)} of {len(found)} tensors fail, the first is {failing[0]}")
downstream = {failing[0]}
parents["mtp.0.paired_streams"] = {"layers.2.hc_ffn.streams"}  # rows of two calls: a trace names no parent for them
for tap in found:  # in the order of computation
    if parents.get(tap, set()) & downstream:
        downstream.add(tap)
print(f"of the {len(failing)}, computed from it by the trace's own account: {len(downstream & set(failing))}")

# %% [markdown]
# `compare` holds two runs against each other. It names the first tensor that is off, and here that is the right place.
# But the other failures say nothing: they are what one expects *after* a wrong value, whether there is a second
# mistake or not.
#
# ## Which step made the error?
#
# `explain` does not compare two runs. It takes, for each step, what **our trace** has before it, runs the reference on
# that, and holds the result against what our trace has after it. An error is charged to the step that makes it, and to
# no other. Then it plants every known bug in the reference and looks which one makes the wrong values right.

# %%
def explained(file, *options, status=1):
    told = oracle_json("explain", file, "--checkpoint", MODEL, *options, "--json", "-", status=status)
    verdicts = [result["verdict"] for result in told["results"]]
    print(f"explain: {told['recordedTaps']} of {told['passedTaps']} values recorded;",
          ", ".join(f"{verdicts.count(v)} {v}" for v in ("right", "wrong", "tie", "inherited") if v in verdicts))
    for step in told["guilty"]:
        first = step["first"]
        print(f"  WRONG {first['name']} ({step['step']}, {step['equation']}),"
              f" at {step['wrong']} of {step['judged']} places")
        recorded, computed, error = (float(first[name]) for name in ("recorded", "computed", "error"))  # or text: "nan"
        print(f"        worst at {first['index']}: recorded {recorded:.4g}, from its own inputs {computed:.4g},"
              f" off by {error:.2g}")
    for finding in told["findings"]:
        print(f"  KNOWN BUG {' or '.join(finding['bugs'])}: {finding['wrong']} (right: {finding['right']})")
    return told


told = explained(wrong)
rows = np.array(told["guilty"][0]["first"]["rows"]["errors"])
print("  rows of that value that are wrong:", np.flatnonzero(rows > 1e-9).tolist())
assert [finding["bugs"] for finding in told["findings"]] == [["pool-visibility-one-less"]]

# %% [markdown]
# 1 wrong step and 198 right ones. The rows are the fingerprint: 7 and 15, the queries that complete a block. And the
# bug has a name, since somebody else had it before.
#
# The same bug can be had without a whole model: `v4-oracle engine --bug ID` plays an engine that has it, and `conform`
# holds it to the golden cases. That is how an engine without traces is tested, operation by operation.

# %%
def conformed(bug, text):
    engine = f"exec '{executable()}' engine --precision double" + (f" --bug {bug}" if bug else "")
    report = oracle_json("conform", "--engine", engine, "--filter", text, "--json", "-", status=1 if bug else 0)
    return report["results"]


def is_off(comparison):
    multiple = comparison["multiple"]  # of the tolerance; text where it is no number
    return not isinstance(multiple, (int, float)) or multiple > 1


cases = "tiny/heavily-compressed-attention/hca-prefill"
results = conformed("pool-visibility-one-less", cases)
repaired = conformed(None, cases)
print(f"{'case':14} with the bug   tensors that are off          without it")
for result, without in zip(results, repaired, strict=True):
    off = [comparison["tensor"] for comparison in result["comparisons"] if is_off(comparison)]
    print(f"{result['id'].split('/')[-1]:14} {result['outcome']:14} {', '.join(off):29} {without['outcome']}")

# %% [markdown]
# One token alone passes: these cases have blocks of 3 tokens, and the first is not full. Everything that goes into
# attention is right, what comes out is not: that is as near as the operation level gets.
#
# ## Day 2: two bugs at once
# <!-- equations: 2.2-block -->
#
# The second mistake comes after the first: the router's bias enters the weights, not the choice alone. Only layer 2 and
# the MTP block have a bias, and both were wrong already.

# %%
class DayTwo(DayOne):
    def slot_weights(self, scores, selection_scores, indices):
        return super().slot_weights(selection_scores, None, indices)


both = record(DayTwo, "day-two.h5")
found = compared(both)
print(f"compare: {sum(fails for _, fails in found.values())} of {len(found)} tensors fail, as many as before")
told = explained(both)
assert [f["bugs"] for f in told["findings"]] == [["pool-visibility-one-less"], ["router-bias-in-weights"]]

# %%
PLACES = ["layers.0.", "layers.1.", "layers.2.", "mtp.0."]


def row_of(tap):
    return next((tap.removeprefix(place) for place in PLACES if tap.startswith(place)), None)


def place_of(tap):
    """A site's coefficients, then its layer, then the streams after it."""
    return tap.startswith(("hc_ffn", "ffn")), tap in ("hc_attn.streams", "hc_ffn.streams"), not tap.startswith("hc_")


registry = [entry["tap"].removeprefix("layers.{l}.") for entry in oracle_json("taps", "--json", "-")
            if entry["tap"].startswith("layers.{l}.")]
rows = sorted((tap for tap in registry if any(place + tap in expected for place in PLACES)), key=place_of)


def grid(verdicts):
    """rows × places: nan where there is no such value, 0 where it is right, else its error."""
    cells = np.full((len(rows), len(PLACES)), np.nan)
    for tap, (error, fails) in verdicts.items():
        if row_of(tap) in rows:
            cells[rows.index(row_of(tap)), [tap.startswith(p) for p in PLACES].index(True)] = error if fails else 0
    return cells


by_step = {result["name"]: (0, False) for result in told["results"]}
by_step |= {result["name"]: (result["error"] / result["scale"], True) for result in told["results"]
            if result["verdict"] == "wrong"}
figure, axes = plt.subplots(1, 2, figsize=(8, 8.4), sharey=True)
for axis, verdicts, title in zip(axes, (found, by_step), ("compare: all that differs", "explain: who did it")):
    cells = grid(verdicts)
    axis.imshow(np.where(np.isnan(cells), np.nan, 0), cmap=ListedColormap(["#CFE6F5"]), aspect="auto")
    shown = axis.imshow(np.where(cells > 0, cells, np.nan), cmap="YlOrRd", norm=LogNorm(1e-3, 1), aspect="auto")
    axis.set(xticks=range(4), xticklabels=["layer 0", "layer 1\n(HCA)", "layer 2", "MTP"], title=title)
    axis.grid(False)
axes[0].set_yticks(range(len(rows)), rows)
figure.colorbar(shown, ax=axes, label="largest error (of the largest value)", shrink=0.5)
plt.show()

# %% [markdown]
# Light blue is right, white is not there. On the left a wall; on the right three cells. The second bug is as visible
# as the first. (The weights of layer 2 and of the MTP block are *one* wrong step at two places.)
#
# `explain` also prints the drift, how far the streams after each layer have come from those of the reference. It judges
# nothing, but shows what a bug costs in the end.

# %%
figure, axis = plt.subplots(figsize=(8, 3.2))
for kind, file, colour in ((Engine, mine, GREEN), (DayOne, wrong, BLUE), (DayTwo, both, ORANGE)):
    drift = oracle_json("explain", file, "--checkpoint", MODEL, "--no-names", "--json", "-",
                        status=0 if kind is Engine else 1)["drift"]
    label = {Engine: "right", DayOne: "one bug", DayTwo: "two bugs"}[kind]
    # Of the right engine only the noise of float64 is left, which is another one on each machine.
    axis.plot([100 * round(point["relativeRMS"], 9) for point in drift], "o-", color=colour, label=label)
names = [point["name"].replace(".hc_ffn.streams", "").replace("layers.", "layer ") for point in drift]
axis.set(xticks=range(len(names)), xticklabels=names, ylabel="relative RMS (%)", xlabel="streams after …, logits",
         title="Drift from the reference")
axis.legend(loc="upper left")
plt.show()

# %% [markdown]
# ## When less is recorded
#
# Not every engine can dump 200 values: kernels are fused, memory is short. `explain` then runs on with its own values
# where one is missing, and an error lies *somewhere between* two that were recorded. It says which ones to dump next.

# %%
def only(*ends):
    return lambda tap: tap == "logits" or tap.endswith(ends) and bool(ends)


sites = ("hc_ffn.streams", "hc_attn.streams")
ends = ("attn.hidden", "attn.output")
steps = {
    "logits alone": only(),
    "… and streams after each layer": only("hc_ffn.streams"),
    "… and those after attention": only(*sites),
    "… and what attention takes in and gives": only(*sites, *ends),
    "… and its queries, entries, result": only(*sites, *ends, "queries", "_entries", "attended_rotated"),
}
for number, (label, wanted) in enumerate(steps.items()):
    file = record(DayOne, f"less-{number}.h5", wanted=wanted)
    told = oracle_json("explain", file, "--checkpoint", MODEL, "--no-drift", "--json", "-", status=1)
    guilty = told["guilty"][0]
    named = [" or ".join(finding["bugs"]) for finding in told["findings"]]
    print(f"{label} ({told['recordedTaps']} recorded):")
    print(f"    wrong by the time of {guilty['first']['name']}; after {', '.join(guilty['after']) or 'the tokens'};"
          f" {len(guilty['between'])} values between, not recorded")
    print(f"    known bug: {', '.join(named) or 'none named'}")

# %% [markdown]
# Each dump makes the interval smaller, and nothing outside it has to be dumped. Logits alone only say that something is
# wrong. With the streams after each layer the bug already has its name: planting it in the reference needs no value
# in between.
#
# ## Multi-token prediction: who is paired with whom?
# <!-- equations: 2.1-mtp -->
#
# ```
# x'(i)[j] = e_proj · RMSNorm(embedding of token i + 1) + h_proj · RMSNorm(streams of the last layer at i, stream j)
# then a layer of ratio 0 with learned routing, at position i; its own head and norm; the LM head of the model
# its logits at i are about token i + 2
# ```
#
# The block takes **all n streams**, before the head of the model collapses them, and the embedding goes to each of
# them. A call of T tokens completes T − 1 pairs; the streams of the last token wait for the next one.

# %%
quote("Sources/DeepSeekV4/Model/MultiTokenPrediction.swift", "public func projected")

# %%
weights = Engine(MODEL)
streams, embedding = expected["layers.2.hc_ffn.streams"][:-1], weights.w["embed"][TOKENS[1:]]
compare("paired streams: those of position i", expected["mtp.0.paired_streams"], streams, 0)
compare("paired embedding: of token i + 1", expected["mtp.0.paired_embedding"], embedding, 0)
e = weights.rms(embedding, weights.w["mtp.0.enorm"]) @ weights.w["mtp.0.e_proj"].T
h = weights.rms(streams, weights.w["mtp.0.hnorm"]) @ weights.w["mtp.0.h_proj"].T
compare("what the block starts from", h + e[:, None], expected["mtp.0.projected"], 1e-12)
print("position   streams of   embedding of   logits about")
for i in (0, 1, len(TOKENS) - 2):
    after = f"token {i + 2} = {TOKENS[i + 2]}" if i + 2 < len(TOKENS) else f"token {i + 2}, not here yet"
    print(f"{i:8}   token {i} = {TOKENS[i]:<3} token {i + 1} = {TOKENS[i + 1]:<5} {after}")

# %%
class OwnToken(Engine):
    def paired(self, ids, streams):
        return streams[:-1], ids[:-1]


class OneStream(Engine):
    def all_streams(self, streams):
        collapsed = Engine(MODEL).head(streams, "hc_head")  # what the model's own head makes of them
        return np.repeat(collapsed[:, None], 4, axis=1)


for kind in (OwnToken, OneStream):
    file = record(kind, f"{kind.__name__}.h5")
    same = oracle_json("compare", path("expected.h5"), file, "--logits", "--json", "-")["logits"]
    print(f"{kind.__name__}: the model's own logits agree at {same['agreements']} of {same['positions']} positions")
    explained(file)

# %% [markdown]
# A wrong MTP block leaves the model's logits as they are. A drafter that is wrong costs accepted tokens and no
# quality, so nobody notices but by speed. Compare `mtp.0.logits`, too.
#
# ## A tie is no bug
#
# A choice is the one thing in the model that is not continuous. Suppose two experts have the same score: any engine may
# take either. To see it, expert 3 of layer 2 gets the gate row and the bias of expert 1 (but keeps its own matrices),
# and our engine prefers the higher of two equal numbers.

# %%
twins = path("twins")
Path(twins).mkdir()
Path(twins, "config.json").write_text(Path(MODEL, "config.json").read_text())
tensors = read_tensors(Path(MODEL, "model.safetensors"))
for name in ("layers.2.ffn.gate.weight", "layers.2.ffn.gate.bias"):
    tensors[name][3] = tensors[name][1]
write_tensors(Path(twins, "model.safetensors"), tensors)


class HigherOfEquals(Engine):
    def top(self, scores):
        return scores.shape[1] - 1 - super().top(scores[:, ::-1])


oracle("trace", "--checkpoint", twins, "--precision", "double", "--text-ids", IDS, "--out", path("twins-expected.h5"))
tied = record(HigherOfEquals, "tied.h5", checkpoint=twins)
report = oracle_json("compare", path("twins-expected.h5"), tied, "--json", "-", status=1)
for tensor in report["tensors"]:
    if tensor["name"].endswith("layers.2.ffn.gate.indices"):
        print("compare: layers.2.ffn.gate.indices:", tensor["verdict"])
fails = [t["name"].removeprefix("calls/0000/") for t in report["tensors"] if t["verdict"] == "fail"]
print(f"compare: but {len(fails)} tensors fail, the first is {fails[0]}")
told = oracle_json("explain", tied, "--checkpoint", twins, "--json", "-")
verdicts = [result["verdict"] for result in told["results"]]
print("explain:", ", ".join(f"{verdicts.count(v)} {v}" for v in ("right", "wrong", "tie")),
      "-> passed:", told["passed"])
assert told["passed"] and "tie" in verdicts

# %% [markdown]
# `compare` sees the tie, but it cannot go on: another expert computes other values. `explain` takes the engine's
# choice and goes on with it. With scores that are not equal but nearer to each other than the engine's precision can
# tell, it is the same.
#
# ## A NaN
#
# One row of one matrix was never loaded, in the down projection of expert 3 of layer 2, and holds NaN. What is
# computed from a NaN is NaN: again everything after it is wrong to the eye.

# %%
class NotLoaded(Engine):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.w["layers.2.ffn.experts.3.w2"][5] = np.nan


with np.errstate(invalid="ignore"):
    holed = record(NotLoaded, "holed.h5")
print("logits that are NaN at positions:", np.flatnonzero(np.isnan(logits_of(holed)).any(1)).tolist())
told = explained(holed)
print("  not run:", *told["failures"])
slots = expected["layers.2.ffn.gate.indices"]
print("  tokens that expert 3 of layer 2 serves:", np.flatnonzero((slots == 3).any(1)).tolist())

# %% [markdown]
# The step whose recorded inputs have no NaN and whose result has one is the wrong one: `experts.output`, at the tokens
# of one expert. What is computed from it has its NaNs where they have to be, so no other step is blamed. Where a
# choice would have to be made between NaNs, nothing can be run, which is no success either: look again when this is
# repaired.
#
# ## Repaired
#
# Each mistake was one method; without it the engine is `Engine`, and everything is green, which is worth a look, too:
# a tool that is always green is no tool. So the last cell plants each mistake once more, and says which of the tools
# see it.

# %%
print(f"{'engine':10} compare --logits   compare   explain   known bugs")
for kind, file in ((Engine, mine), (DayOne, wrong), (DayTwo, both), (OwnToken, path("OwnToken.h5")),
                   (OneStream, path("OneStream.h5"))):
    def ended(*arguments):
        """What a command found."""
        try:
            return "passed" if oracle(*arguments) else ""
        except RuntimeError:
            oracle(*arguments, status=1)
            return "failed"

    names = oracle_json("explain", file, "--checkpoint", MODEL, "--no-drift", "--json", "-",
                        status=int(kind is not Engine))
    print(f"{kind.__name__:10} {ended('compare', path('expected.h5'), file, '--logits', '--quiet'):18}"
          f" {ended('compare', path('expected.h5'), file, '--quiet'):9} {'passed' if names['passed'] else 'failed':9}",
          ", ".join(" or ".join(finding["bugs"]) for finding in names["findings"]) or "-")

# %% [markdown]
# ## Exercises
#
# 1. Forget the inverse rotation of the attention output (`derotated` returns what it gets). Which step is blamed, in
#    how many places, and which row of it is right? (Hint: notebook 4; what is the angle of the first token?)
# 2. Record everything but the values of `sinkhorn`, and transpose `comb` in `site`. What is blamed, and what lies
#    between? Ask for layer 1 alone, by `--layers 1`. (Hint: the post-mix is the only step that reads `comb`.)
#
# <details><summary>Solutions</summary>
#
# 1. `attn.attended` (`AttentionSteps.derotated`), in the three layers and in the MTP block; row 0 is right, since
#    position 0 is not rotated. The cell below runs it.
# 2. `hc_attn.streams` and `hc_ffn.streams` (`HyperConnectionSteps.postMix`), with `combination` between; the known bug
#    is `mhc-comb-transposed`. At the first site of layer 0 there is next to nothing to see: all streams are the same
#    there, and rows and columns of B both sum to 1.
#
# </details>

# %%
class Unturned(Engine):
    def derotated(self, attended, positions, ratio):
        return attended


told = explained(record(Unturned, "unturned.h5"))
right = np.array(told["guilty"][0]["first"]["rows"]["errors"]) < 1e-9
print("  rows of the first place that are right:", np.flatnonzero(right).tolist())


class Transposed(Engine):
    def site(self, streams, block, kind, layer):
        self.sinkhorn = lambda logits: Engine.sinkhorn(self, logits).transpose(0, 2, 1)
        return super().site(streams, block, kind, layer)


transposed = record(Transposed, "transposed.h5", wanted=lambda tap: not tap.endswith("combination"))
told = explained(transposed, "--layers", "1")
print("  between:", ", ".join(place["name"] for place in told["guilty"][0]["between"]))
