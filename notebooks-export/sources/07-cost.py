# %% [markdown]
# # Where do 10 % of the FLOPs and 7 % of the cache come from?
#
# Report section 2.3.4 and Figure 1: behind one million tokens, the next token of V4-Flash takes 10 % of the FLOPs
# that DeepSeek-V3.2 needs, and the key-value cache of the million is 7 % as large; for V4-Pro it is 27 % and 10 %. The
# report gives no table for it and no rule of counting. Here both curves of the figure are computed again, from a table
# of hyper-parameters, in NumPy.
#
# You should know what a KV cache is, and that multiplying a vector with a matrix takes one multiply-add for each
# weight. Notebooks 2 and 3 explain the two kinds of layers, CSA and HCA; what is needed of them is said again.
#
# | | V3.2 | CSA | HCA |
# | --- | --- | --- | --- |
# | entries in the cache | one for a token | one for 4 tokens | one for 128 tokens |
# | read by a query | 2048, chosen by an indexer | 512 (Pro: 1024), chosen by an indexer | all |
# | index keys | one for a token, FP8 | one for 4 tokens, FP4 | none |
# | window of uncompressed entries | none | 128 tokens | 128 tokens |
#
# Flash starts with two layers that have the window only. N is the context in tokens, the decoded one included; 1K is
# 1024 tokens, and a million is 1,048,576.

# %%
import csv
import tempfile
from math import ceil, prod
from types import SimpleNamespace as Model

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter
from study import COLOURS, compare, number, oracle, oracle_json, published, quote

BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK = COLOURS
GREY = "#C8C8C8"
MILLION = 1_048_576

shared = dict(vocabulary=129280, head=512, rotated=64, window=128, index_heads=64, index_head=128, streams=4)
FLASH = Model(**shared, name="V4-Flash", d=4096, heads=64, latent=1024, groups=8, group_latent=1024, top_k=512,
              experts=256, active=6, expert=2048, hashed=3, ratios=[0, 0] + [4, 128] * 20 + [4])
PRO = Model(**shared, name="V4-Pro", d=7168, heads=128, latent=1536, groups=16, group_latent=1024, top_k=1024,
            experts=384, active=6, expert=3072, hashed=3, ratios=[128, 128] + [4, 128] * 29 + [4])
V32 = Model(name="V3.2", vocabulary=129280, d=7168, layers=61, heads=128, latent=1536, kv_latent=512, plain=128,
            rotated=64, value=128, index_heads=64, index_head=128, top_k=2048, dense_layers=3, dense=18432,
            experts=256, active=8, expert=2048)

for model in (FLASH, PRO):
    model.layers, model.csa, model.hca = len(model.ratios), model.ratios.count(4), model.ratios.count(128)
    print(f"{model.name}: {model.layers} layers, {model.csa} CSA, {model.hca} HCA, "
          f"{model.ratios.count(0)} with the window only")

answer = oracle_json("cost", "--json", "-")
of_command = {model["name"]: model for model in answer["models"]}

# %% [markdown]
# `answer` is what `v4-oracle cost` says. It is used on one side of comparisons only. No golden case is needed here; what
# that is, and what a line of `compare` shows, says the paragraph [Words](README.md#words) of the index.
#
# ## Where 284 billion parameters sit
# <!-- equations: 2.1-mixture -->
#
# ```
# total     = Σ values of all tensors, without multi-token prediction (MTP)
# activated = total − embedding − routed experts · (1 − k/E)          k of E experts are used; the LM head is in
# ```
#
# Scales and hash tables are stored, but they are no parameters. Below is each tensor of a model: its part, its format,
# its shape, and how often it is there.

# %%
quote("Sources/CostModel/Parameters/CostedTensor.swift", "func costedTensors")
quote("Sources/CostModel/Parameters/ParameterCount.swift", "let idle")


# %%
def compressor(part, m, width, overlap):
    """Content and score of a token; where blocks overlap, for two of them."""
    wide = (2 if overlap else 1) * width
    ratio = 4 if overlap else 128
    return [(part, "position bias", "F32", (ratio, wide), 1), (part, "content, score", "BF16", (wide, m.d), 2),
            (part, "norm", "BF16", (width,), 1)]


def streams(m, rows, scales, copies):
    return [("hyper-connections", "mix", "F32", (rows, m.streams * m.d), copies),
            ("hyper-connections", "base", "F32", (rows,), copies),
            ("hyper-connections", "scale", "F32", (scales,), copies)]


def block(m, ratio, hashed=False):
    q, i = m.heads * m.head, m.index_heads * m.index_head
    tensors = [
        ("norms", "norm", "BF16", (m.d,), 2), *streams(m, m.streams * (2 + m.streams), 3, 2),
        ("attention", "to the latent", "FP8", (m.latent, m.d), 1), ("attention", "norm", "BF16", (m.latent,), 1),
        ("attention", "queries", "FP8", (q, m.latent), 1), ("attention", "entry", "FP8", (m.head, m.d), 1),
        ("attention", "norm", "BF16", (m.head,), 1), ("attention", "sinks", "F32", (m.heads,), 1),
        ("attention", "groups", "FP8", (m.groups * m.group_latent, q // m.groups), 1),
        ("attention", "output", "FP8", (m.d, m.groups * m.group_latent), 1),
        ("router", "gate", "BF16", (m.experts, m.d), 1),
        ("hash tables", "ids", "I64", (m.vocabulary, m.active), 1) if hashed else
        ("router", "bias", "F32", (m.experts,), 1),
        ("routed experts", "gate, up", "FP4", (m.expert, m.d), 2 * m.experts),
        ("routed experts", "down", "FP4", (m.d, m.expert), m.experts),
        ("shared experts", "gate, up", "FP8", (m.expert, m.d), 2),
        ("shared experts", "down", "FP8", (m.d, m.expert), 1)]
    if ratio:
        tensors += compressor("compressors", m, m.head, ratio == 4)
    if ratio == 4:
        tensors += [("indexer", "queries", "FP8", (i, m.latent), 1),
                    ("indexer", "head weights", "BF16", (m.index_heads, m.d), 1),
                    *compressor("indexer", m, m.index_head, True)]
    return tensors


def tensors_of(m):
    """(part, name, format, shape, copies) of all tensors of V4."""
    table = (m.vocabulary, m.d)
    tensors = [("embedding", "table", "BF16", table, 1), ("LM head", "head", "BF16", table, 1),
               ("norms", "norm", "BF16", (m.d,), 1), *streams(m, m.streams, 1, 1)]
    for layer, ratio in enumerate(m.ratios):
        tensors += block(m, ratio, hashed=layer < m.hashed)
    extra = [("", "joining", "FP8", (m.d, m.d), 2), ("", "norm", "BF16", (m.d,), 3), *streams(m, m.streams, 1, 1)]
    return tensors + [("MTP", *rest) for _, *rest in block(m, 0) + extra]


def tensors_of_v32(m):
    """The same of V3.2. Assumed: the up-projection is multiplied in BF16, as core attention is."""
    attention = [((m.latent, m.d), "FP8"), ((m.heads * (m.plain + m.rotated), m.latent), "FP8"),
                 ((m.kv_latent + m.rotated, m.d), "FP8"), ((m.heads * (m.plain + m.value), m.kv_latent), "BF16"),
                 ((m.d, m.heads * m.value), "FP8"), ((m.latent + m.kv_latent,), "BF16")]
    indexer = [((m.index_heads * m.index_head, m.latent), "FP8"), ((m.index_head, m.d), "FP8"),
               ((m.index_heads, m.d), "BF16"), ((2 * m.index_head,), "BF16")]
    sparse = m.layers - m.dense_layers
    return [("embedding", "table", "BF16", (m.vocabulary, m.d), 1), ("LM head", "head", "BF16", (m.vocabulary, m.d), 1),
            ("norms", "norm", "BF16", (m.d,), 2 * m.layers + 1),
            *(("attention", "", form, shape, m.layers) for shape, form in attention),
            *(("indexer", "", form, shape, m.layers) for shape, form in indexer),
            ("dense feed-forward", "", "FP8", (m.d, m.dense), 3 * m.dense_layers),
            ("router", "gate", "BF16", (m.experts, m.d), sparse), ("router", "bias", "F32", (m.experts,), sparse),
            ("shared experts", "", "FP8", (m.d, m.expert), 3 * sparse),
            ("routed experts", "", "FP8", (m.d, m.expert), 3 * sparse * m.experts)]


# %%
for model in (FLASH, PRO, V32):
    model.tensors = tensors_of_v32(model) if model is V32 else tensors_of(model)
    model.parts = {}
    for part, _, _, shape, copies in model.tensors:
        if part != "hash tables":
            model.parts[part] = model.parts.get(part, 0) + prod(shape) * copies
    model.total = sum(model.parts.values()) - model.parts.get("MTP", 0)
    model.used = {part: count * model.active // model.experts if part == "routed experts" else count
                  for part, count in model.parts.items() if part not in ("embedding", "MTP")}
    theirs = of_command[model.name]["parameters"]
    assert {group["group"] for group in theirs["groups"]} == set(model.parts)
    compare(f"{model.name}, parameters of each part", [model.parts[group["group"]] for group in theirs["groups"]],
            [group["count"] for group in theirs["groups"]], 0, label="the command")
    compare(f"{model.name}, activated", sum(model.used.values()), theirs["activated"], 0, label="the command")

published("Flash, parameters", FLASH.total / 1e9, 284, 1, "billion")
published("Flash, activated", sum(FLASH.used.values()) / 1e9, 13, 1, "billion")
published("Pro, parameters", PRO.total / 1e12, 1.6, 0.1, "trillion")
published("Pro, activated", sum(PRO.used.values()) / 1e9, 49, 1, "billion")

# %% [markdown]
# Percentages can come out right by luck. The size of the published files cannot: it is known to the byte, and any
# wrong width, format or missing scale would show. FP8 matrices have a scale byte for each block of 128 × 128, FP4
# matrices one for 32 weights; two FP4 weights share a byte, and that byte counts as one element.

# %%
BYTES = {"BF16": 2, "F32": 4, "I64": 8}


def stored(form, shape):
    """Tensors, elements and bytes in the files."""
    count = prod(shape)
    if form == "FP8":
        count += ceil(shape[0] / 128) * ceil(shape[1] / 128)
    elif form == "FP4":
        count = count // 2 + count // 32
    return np.array([2, count, count] if form in ("FP8", "FP4") else [1, count, count * BYTES[form]])


released = ((FLASH, 69_187, 158_069_433_298, 159_609_485_896), (PRO, 145_116, 861_608_274_846, 864_704_792_696))
for model, tensors, elements, size in released:
    sums = sum(copies * stored(form, shape) for _, _, form, shape, copies in model.tensors)
    published(f"{model.name}, tensors", sums[0], tensors, 1)
    published(f"{model.name}, elements", sums[1] / 1e9, elements / 1e9, 1e-9, "billion")
    published(f"{model.name}, bytes of tensor data", sums[2] / 1e9, size / 1e9, 1e-9, "GB")
    print(f"   to the last byte: {sums[2]:,} = {size:,}")
    theirs = of_command[model.name]["checkpoint"]
    compare("   the command", sums, [theirs[key] for key in ("tensors", "elements", "bytes")], 0, label="the command")

# %%
order = ["routed experts", "shared experts", "attention", "LM head", "compressors", "indexer", "router",
         "hyper-connections", "embedding"]
figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, sharex=True)
for axis, model in zip(axes, (FLASH, PRO)):
    places = np.arange(len(order))
    axis.barh(places - 0.2, [model.parts[part] for part in order], 0.38, color=GREY, label="in the model")
    axis.barh(places + 0.2, [model.used.get(part, 0) for part in order], 0.38, color=BLUE, label="used by one token")
    axis.set(xscale="log", xlim=(1e7, 4e12), xlabel="parameters (log scale)", yticks=places, yticklabels=order,
             title=f"{model.name}: {model.total / 1e9:.0f}B, of which {sum(model.used.values()) / 1e9:.0f}B act")
axes[0].invert_yaxis()
axes[1].legend(loc="lower right")
plt.show()

for model in (FLASH, PRO):
    total, used = model.total, sum(model.used.values())
    print(f"{model.name}: routed experts are {model.parts['routed experts'] / total:.1%} of all parameters;"
          f" {model.active} of {model.experts} are used: {model.used['routed experts'] / used:.0%} of what acts,"
          f" attention {model.used['attention'] / used:.0%},"
          f" hyper-connections {model.used['hyper-connections'] / used:.2%}")

# %% [markdown]
# 97 % of Flash are routed experts, and a token uses 6 of 256 of them in each layer: 277B become 6.5B. Everything else
# is used by every token and is small: attention 4.6B, shared experts 1.1B, the LM head 0.5B. That makes 13B. The parts
# that V4 adds are next to nothing: hyper-connections 0.03B, compressors and indexers 0.5B.
#
# ## What a token leaves in the cache
# <!-- equations: 2.3.4-entry-precision 2.3.4-index-precision 2.3.3-window -->
#
# ```
# V4 entry         448 FP8 + 64 · 2 BF16 + 7 scales + 1 unused  = 584 B      keys are values: one entry serves both
# V4 index key     128 FP4 / 2 + 4 scales                       =  68 B
# V3.2 entry       512 FP8 + 64 · 2 BF16 + 4 · 4 scales         = 656 B
# V3.2 index key   128 FP8 + 1 · 4 scale                        = 132 B
#
# bytes(N) = 584 · (layers · min(N, 128) + CSA · ⌊N/4⌋ + HCA · ⌊N/128⌋) + 68 · CSA · ⌊N/4⌋
# ```
#
# The layouts are those of the serving kernels (FlashMLA). That the report counts scales, too, is inferred; see below.

# %%
quote("Sources/CostModel/ModelConfiguration+Cost.swift", "func cacheEntries")
quote("Sources/CostModel/ModelConfiguration+Cost.swift", "func entryBytes")
quote("Sources/CostModel/ModelConfiguration+Cost.swift", "func indexKeyBytes")

# %%
V4_BYTES = {"serving": (448 + 2 * 64 + 7 + 1, 64 + 4), "without-scales": (448 + 2 * 64, 64), "bf16": (1024, 256)}
V32_BYTES = {"serving": (512 + 2 * 64 + 16, 128 + 4), "without-scales": (512 + 2 * 64, 128), "bf16": (1152, 256)}


def cache(m, n, form="serving"):
    """Bytes of windows, CSA entries, HCA entries and index keys after n tokens: [4, ...]; V3.2 has entries only."""
    n = np.asarray(n)
    if m is V32:
        entry, key = V32_BYTES[form]
        return np.array([0 * n, m.layers * n * entry, 0 * n, m.layers * n * key])
    entry, key = V4_BYTES[form]
    window = m.layers * np.minimum(n, m.window)
    return np.array([window * entry, m.csa * (n // 4) * entry, m.hca * (n // 128) * entry, m.csa * (n // 4) * key])


def curves(*ends):
    """What `v4-oracle cost --csv` says: model -> column -> values at up to 129 contexts from 1 to each of `ends`."""
    rows = []
    for end in ends:
        with tempfile.TemporaryDirectory() as folder:
            oracle("cost", "--context", end, "--csv", f"{folder}/curves.csv")
            with open(f"{folder}/curves.csv", newline="") as file:
                rows += csv.DictReader(file)
    columns = [key for key in rows[0] if key != "model"]
    return {name: {key: np.array([int(row[key]) for row in rows if row["model"] == name]) for key in columns}
            for name in of_command}


drawn = curves(MILLION, 1_000_003, 9_999)
for model in (FLASH, PRO, V32):
    theirs = drawn[model.name]
    windows, csa, hca, keys = cache(model, theirs["context_tokens"])
    compare(f"{model.name}, cache over the context", [windows, csa + hca, keys],
            [theirs[f"cache_{part}_bytes"] for part in ("window", "main", "index_key")], 0, "bytes", label="the command")


def smaller(m, form="serving"):
    """Times, at a million."""
    return cache(V32, MILLION, form).sum() / cache(m, MILLION, form).sum()


for model, percent, times in ((FLASH, 7, 13.7), (PRO, 10, 9.5)):
    published(f"{model.name}, cache of V3.2's", 100 / smaller(model), percent, 1, "%")
    published(f"{model.name}, cache smaller than V3.2's", smaller(model), times, 0.1, "times")
for model, gib in ((V32, 83.9), (PRO, 9.62)):
    step = 0.1 if model is V32 else 0.01
    published(f"{model.name}, cache in BF16 (vLLM blog)", cache(model, MILLION, "bf16").sum() / 2**30, gib, step, "GiB")

# %% [markdown]
# The contexts compared are 1 to 1,048,576 in 128 steps, and the same for 1,000,003 and 9,999, where blocks have rests.
#
# How much does a token add to a layer of each kind, and to a model?

# %%
def per_token(m, form="serving"):
    """CSA entries, HCA entries, index keys: bytes for one more token, on average. V3.2 has entries and keys only."""
    if m is V32:
        entry, key = V32_BYTES[form]
        return np.array([m.layers * entry, 0, m.layers * key])
    entry, key = V4_BYTES[form]
    return np.array([m.csa * entry / 4, m.hca * entry / 128, m.csa * key / 4])


print(f"a layer of V3.2: 656 + 132 = {656 + 132} B, of CSA: (584 + 68) / 4 = {(584 + 68) / 4:g} B,"
      f" of HCA: 584 / 128 = {584 / 128:g} B, window only: 0 B")
for model in (V32, PRO, FLASH):
    theirs = of_command[model.name]["caches"][0]["bytesPerToken"]
    compare(f"{model.name}, a token", per_token(model).sum(), theirs, 0, "bytes", label="the command")

figure, axes = plt.subplots(1, 2, figsize=(9, 2.9), width_ratios=[1, 1])
for axis, models in zip(axes, ((V32, PRO, FLASH), (PRO, FLASH))):
    left = np.zeros(len(models))
    labels = ("entries of V3.2 and CSA", "entries of HCA", "index keys")
    for part, colour, label in zip(range(3), (BLUE, GREEN, ORANGE), labels):
        size = np.array([per_token(model)[part] for model in models])
        axis.barh(np.arange(len(models)), size, 0.55, left=left, color=colour, label=label)
        left += size
    for place, size in enumerate(left):
        axis.text(size, place, f" {size:,.0f}", va="center")
    axis.set(yticks=np.arange(len(models)), yticklabels=[model.name for model in models], xlim=(0, left.max() * 1.17),
             xlabel="bytes in the cache for one more token")
    axis.invert_yaxis()
axes[0].set_title("All layers")
axes[1].set_title("The same, V4 only")
axes[0].legend(loc="lower right")
plt.show()
for model in (V32, PRO, FLASH):
    parts = zip(("entries", "entries of HCA", "index keys"), per_token(model))
    print(f"{model.name}, a token: " + ", ".join(f"{label} {size:,.1f} B" for label, size in parts if size))

# %% [markdown]
# So which layers hold the cache? All of it after a million tokens, by kind of layer, in % of what V3.2 keeps.

# %%
def by_kind(m, n):
    """Bytes of entries, index keys and windows (rows) in CSA, HCA and window-only layers (columns)."""
    entry, key = V4_BYTES["serving"]
    kinds = np.array([m.csa, m.hca, m.ratios.count(0)])
    counts = np.array([[n // 4, n // 128, 0], [n // 4, 0, 0], 3 * [min(n, m.window)]])
    return kinds * counts * np.array([[entry], [key], [entry]])


whole = cache(V32, MILLION).sum()
for model in (FLASH, PRO):
    table = by_kind(model, MILLION)
    compare(f"{model.name}, the table adds up to the cache", table.sum(), cache(model, MILLION).sum(), 0, "bytes",
            label="other formula")
    print(f"in % of V3.2's cache: {model.name}  {'CSA':>9}{'HCA':>9}{'window only':>13}{'all':>9}")
    for part, row in zip(("entries", "index keys", "windows", "all"), [*table, table.sum(0)]):
        shares = 100 * np.array([*row, row.sum()]) / whole
        print(f"   {part:27}" + "".join(f"{share:{wide}.3f}" for share, wide in zip(shares, (9, 9, 13, 9))))
    print(f"   {model.csa} CSA layers hold {table[:, 0].sum() / table.sum():.1%} of it,"
          f" {model.hca} HCA layers {table[:, 1].sum() / table.sum():.1%}\n")

# %% [markdown]
# **The answer for the cache.** Of the bytes that V3.2 keeps for a million tokens, Flash keeps 6.38 % as CSA entries,
# 0.74 % as index keys, 0.19 % as HCA entries and 0.006 % in windows: 7.32 %. 97 % of its cache is in the 21 CSA
# layers; the 20 HCA layers read everything and keep next to nothing. Pro: 9.11 + 1.06 + 0.29 + 0.01 = 10.48 %.

# %% [markdown]
# So the 13.7 of Flash are a product: fewer layers, smaller entries (512 channels in place of 512 + 64, scales of one
# byte in place of four, index keys in FP4), one for four tokens, and only every other layer keeps more than a trace.
# The window is a constant, 128 entries in each layer, and takes a little away at the end.
#
# Grouped-query attention in BF16 with 8 heads of 128 channels would keep 2 · 8 · 128 · 2 = 4096 B for each token in
# each layer. Of that the report says **2 %**.

# %%
factors = {"61 layers / 43 layers": 61 / 43, "an entry and its key, (656 + 132) B / (584 + 68) B": 788 / 652,
           "one for a token / one for 4 tokens": 4,
           "43 layers of CSA / as it is": FLASH.layers * 652 / 4 / per_token(FLASH).sum()}
for what, factor in factors.items():
    print(f"{factor:.2f} times: {what}")
windowless = per_token(V32).sum() / per_token(FLASH).sum()
compare("the product", prod(factors.values()), windowless, 1e-12, "times", label="other formula")
print(f"with the windows: {smaller(FLASH):.3f}")

for model in (FLASH, PRO):
    ours, entries = cache(model, MILLION), model.csa / 4 + model.hca / 128
    queries = model.layers * 2 * 8 * 128 * 2 * MILLION
    published(f"{model.name}, of grouped-query attention", 100 * ours.sum() / queries, 2, 1, "%")
    published(f"{model.name}, entries of all tokens / compressed entries", model.layers / entries, 8, 1, "times")
    print(f"   CSA layers {163 / 4096:.2%} of 4096 B, HCA layers {584 / 128 / 4096:.2%};"
          f" all windows {ours[0] / 1e6:.2f} MB of {ours.sum() / 1e9:.3f} GB")

# %% [markdown]
# 2 % is the mean of 4 % in CSA and 0.1 % in HCA: half of the layers are almost free. The number 8 is of section 3.5: so
# many times more it would take to store the uncompressed entries of all tokens, too.
#
# **What is inferred here.** That scales are counted: without them Flash would be 13.6 times smaller, Pro would be at
# 11 %, and the line of V3.2 would rise by 46,848 B for a token, where 48,046 can be read off the drawing. And that rows
# of blocks that are not full yet are left out. They do not grow; in float32 they would be some MB.

# %%
bare = oracle_json("cost", "--kv", "without-scales", "--json", "-", status=1)
print("the command, without scales:", *(f"{line['model']}: {line['quantity']}: {line['computedText']} is not "
                                       f"{line['publishedText']}" for line in bare["published"] if not line["matches"]),
      sep="\n   ")
compare("Flash, smaller without scales", smaller(FLASH, "without-scales"),
        next(line["computed"] for line in bare["published"] if line["publishedText"] == "13.7×"), 1e-12, "times",
        label="the command")
print(f"it would have been printed as {smaller(FLASH, 'without-scales'):.1f}×;"
      f" V3.2 would keep {per_token(V32, 'without-scales').sum():,} B for a token")

for model, read in ((FLASH, 3.70), (PRO, 5.29)):
    waiting = 4 * 2 * (model.csa * 8 * 2 * (512 + 128) + model.hca * 128 * 512)
    sizes = cache(model, MILLION).sum() + np.array([0, waiting])
    ratios = cache(V32, MILLION).sum() / sizes
    print(f"{model.name} at 1M: {sizes[0] / 1e9:.3f} GB, {ratios[0]:.2f} times smaller; with float32 rows of"
          f" unfinished blocks {sizes[1] / 1e9:.3f} GB, {ratios[1]:.2f}; read off the drawing: {read:.2f} GB")

# %% [markdown]
# The line of Flash is nearer to the count with these rows, that of Pro lies between both, and the label 13.7× fits the
# count without. That stays open.
#
# ## What a token computes
# <!-- equations: (16) (19) (26) -->
#
# ```
# FLOPs = 2 · Σ multiply-adds · factor of the format               a multiplication and an addition are two
#
# weights          one for each activated weight of a matrix       FP8; BF16 for LM head, compressors, router, mixes
# core attention   2 · heads · 512 for each entry read             BF16   (q · k, and p · v)
# index scores     64 · 128 for each index key                     FP4 in V4, FP8 in V3.2
#
# "equivalent FP8 FLOPs":   FP8 × FP8 and FP4 × FP8: 1      BF16 × BF16: 2      FP4 × FP4: ½
# ```
#
# V3.2 decodes with its up-projection **absorbed**: it does not expand each cached latent into keys and values of 128
# heads, but multiplies the query by the key half of the matrix, once, and the result by the value half, once. So 128
# heads meet the latents themselves, as keys of 512 + 64 and values of 512 channels. That it does so in BF16, as core
# attention, is assumed; the report does not speak of it. Norms, softmax, rotary embedding, top-k, quantization and MTP
# are not counted.

# %%
quote("Sources/CostModel/FLOPs/CountingRule.swift", "public func factor")
quote("Sources/CostModel/FLOPs/TokenWork.swift", "func weightProducts")
quote("Sources/CostModel/ModelConfiguration+Cost.swift", "func attentionWork")

# %%
EQUIVALENT = {"FP8": 1, "BF16": 2, "FP4": 0.5}
RAW = {"FP8": 1, "BF16": 1, "FP4": 1}
MULTIPLIED = {"FP8": "FP8", "FP4": "FP8", "BF16": "BF16", "F32": "BF16"}


def work(m, n):
    """(component, format, multiply-adds) of the last of n tokens."""
    n, pieces = np.asarray(n), []
    for part, name, form, shape, copies in m.tensors:
        if len(shape) == 2 and part != "MTP" and name not in ("table", "position bias", "ids"):
            weights = prod(shape) * copies
            if part == "routed experts":
                weights = weights * m.active // m.experts
            pieces.append((f"weights: {part}", MULTIPLIED[form], weights))
    index = m.index_heads * m.index_head
    if m is V32:
        read = m.layers * np.minimum(n, m.top_k)
        return pieces + [("attention: selected entries", "BF16", read * m.heads * (2 * m.kv_latent + m.rotated)),
                         ("index scores", "FP8", m.layers * n * index)]
    entry = 2 * m.heads * m.head
    return pieces + [("attention: window", "BF16", m.layers * np.minimum(n, m.window) * entry),
                     ("attention: selected entries", "BF16", m.csa * np.minimum(n // 4, m.top_k) * entry),
                     ("attention: HCA entries", "BF16", m.hca * (n // 128) * entry),
                     ("index scores", "FP4", m.csa * (n // 4) * index)]


def flops(m, n, rule=EQUIVALENT):
    """Component -> FLOPs."""
    sums = {}
    for component, form, count in work(m, n):
        sums[component] = sums.get(component, 0) + 2 * rule[form] * count
    return sums


def total_flops(m, n, rule=EQUIVALENT):
    return sum(flops(m, n, rule).values())


for model in (FLASH, PRO, V32):
    parts, theirs = flops(model, MILLION), of_command[model.name]["flops"]["parts"]
    assert set(parts) == {part["component"] for part in theirs}
    compare(f"{model.name}, components at a million", [parts[part["component"]] for part in theirs],
            [part["flops"] for part in theirs], 0, "FLOPs", label="the command")
    theirs = drawn[model.name]
    ours = flops(model, theirs["context_tokens"])
    scores, hca = ours["index scores"], ours.get("attention: HCA entries", 0 * theirs["flops_hca"])
    compare(f"{model.name}, over the context: index scores, HCA, all", [scores, hca, sum(ours.values())],
            [theirs[f"flops_{part}"] for part in ("index_scores", "hca", "total")], 0, "FLOPs", label="the command")

for model, percent, times, arrow in ((FLASH, 10, 9.8, 955), (PRO, 27, 3.7, 1000)):
    share = total_flops(model, MILLION) / total_flops(V32, MILLION)
    published(f"{model.name}, FLOPs of V3.2's", 100 * share, percent, 1, "%")
    there = total_flops(V32, arrow * 1024) / total_flops(model, arrow * 1024)
    published(f"{model.name}, FLOPs lower than V3.2's at the arrow, {arrow}K", there, times, 0.1, "times")
    print(f"   at 1024K it is {1 / share:.2f}")

# %% [markdown]
# The labels 9.8× and 3.7× of the figure are not those of a million tokens. They fit where its arrows are drawn.
#
# Figure 1 again. Lines are computed. Of each line of the report's drawing two numbers were read off, its slope and its
# start; circles are nine points of the line that they give, not nine readings. The slopes have more digits than a
# reading is good for: they are held to half a percent.

# %%
# Read off the drawing: slope and start of the FLOPs, slope and start of the cache.
READ = {"V3.2": (998_800, 148.9e9, 48_046, 0), "V4-Pro": (188_301, 121.4e9, 5_025, 0.02e9),
        "V4-Flash": (83_904, 32.6e9, 3_514, 0.02e9)}
LOOK = ((V32, BLACK), (PRO, BLUE), (FLASH, ORANGE))

n = np.arange(1, 1025) * 1024
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
for model, colour in LOOK:
    slope, start, cache_slope, cache_start = READ[model.name]
    read = np.linspace(0, MILLION, 9)
    left.plot(n / 1024, total_flops(model, n) / 1e12, color=colour, label=f"{model.name}")
    left.plot(read / 1024, (slope * read + start) / 1e12, "o", color=colour, fillstyle="none")
    right.plot(n / 1024, cache(model, n).sum(0) / 1e9, color=colour, label=f"{model.name}")
    right.plot(read / 1024, (cache_slope * read + cache_start) / 1e9, "o", color=colour, fillstyle="none")
left.set(title="FLOPs of one token", ylabel="10¹² FLOPs, FP8-equivalent")
right.set(title="Key-value cache", ylabel="GB (10⁹ bytes)")
for axis in (left, right):
    axis.set(xlabel="context N (1024 tokens)", xticks=range(0, 1025, 256))
    axis.legend(loc="upper left")
plt.show()

for model, _ in LOOK:
    half, whole = total_flops(model, MILLION // 2), total_flops(model, MILLION)
    slope, start, cache_slope, _ = READ[model.name]
    rise = (whole - half) / (MILLION // 2)
    compare(f"{model.name}, slope", rise, slope, 0.005 * slope, "FLOPs for a token of context",
            label="read off")
    compare(f"{model.name}, intercept", (whole - rise * MILLION) / 1e9, start / 1e9, 0.005 * start / 1e9, "GFLOPs",
            label="read off")
    compare(f"{model.name}, slope of the cache", per_token(model).sum(), cache_slope, 0.005 * cache_slope, "bytes",
            label="read off")

# %% [markdown]
# ## The rule is inferred, not stated
#
# The report says "equivalent FP8 FLOPs" and no more. How do we know the factors 1, 2 and ½? From the drawing. What
# grows with N is index scores and HCA alone, so the slopes are linear equations in the factors, and there are as many
# equations as factors. The intercepts then say how the BF16 weights are counted.

# %%
def growing(m, component):
    """FLOPs for a token of context, counted once each."""
    return (flops(m, MILLION, RAW)[component] - flops(m, MILLION // 2, RAW)[component]) / (MILLION // 2)


fp8 = READ["V3.2"][0] / growing(V32, "index scores")
rows = [[growing(model, part) for part in ("index scores", "attention: HCA entries")] for model in (FLASH, PRO)]
fp4, bf16 = np.linalg.solve(rows, [READ[model.name][0] for model in (FLASH, PRO)])
print("factors from the slopes that were read off the drawing:")
compare("   index scores of V3.2, FP8", fp8, 1, 0.005, label="rule")
compare("   index scores of V4, FP4", fp4, 0.5, 0.0025, label="rule")
compare("   core attention, BF16", bf16, 2, 0.01, label="rule")
for model, _ in LOOK:
    fixed, weights = 0, 0
    for component, form, count in work(model, MILLION):
        if component.startswith("weights") and form == "BF16":
            weights += 2 * count
        elif component not in ("index scores", "attention: HCA entries"):
            fixed += 2 * EQUIVALENT[form] * count
    print(f"   BF16 weights of {model.name}, from its intercept: {(READ[model.name][1] - fixed) / weights:.2f},"
          f" where they are {2 * weights / 1e9:.1f} of {(fixed + 2 * weights) / 1e9:.1f} GFLOPs")

print("\nFLOPs of V3.2's at a million:   Flash      Pro")
for b in (1, 2):
    for f in (1, 0.5):
        rule = {"FP8": 1, "BF16": b, "FP4": f}
        shares = [100 * total_flops(model, MILLION, rule) / total_flops(V32, MILLION, rule) for model in (FLASH, PRO)]
        fits = "   as published" if [round(share) for share in shares] == [10, 27] else ""
        print(f"   BF16 counts {b}, FP4 counts {f:<4}: {shares[0]:8.2f} % {shares[1]:6.2f} %{fits}")

raw = oracle_json("cost", "--count", "raw", "--json", "-", status=1)
print("\nthe command, raw:", *(f"{line['model']}: {line['quantity']}: {line['computedText']} is not "
                               f"{line['publishedText']}" for line in raw["published"] if not line["matches"]),
      sep="\n   ")
theirs = next(line["computed"] for line in raw["published"] if line["quantity"].startswith("FLOPs of a token"))
compare("Flash, raw", 100 * total_flops(FLASH, MILLION, RAW) / total_flops(V32, MILLION, RAW), theirs, 1e-12, "%",
        label="the command")

# %% [markdown]
# The intercepts are a blunter tool: the BF16 weights are 8 of 122 GFLOPs in Pro, so its start, read 0.4 % low, gives
# 1.89 in place of 2.
#
# Counted raw, Flash has 12 % of the FLOPs of V3.2. So "10 %" is about arithmetic *and* about formats: where FP4
# products are no faster than those in FP8, it is 14 %.
#
# ## One token behind a million
# <!-- equations: (16) (26) 2.1-mixture -->
#
# Which component costs what, at N = 1,048,576? In the table every number is a part of all that V3.2 does, so the
# columns of V4 add up to the percentages that are published.

# %%
GROUPS = {"index scores": (ORANGE, ["index scores"]), "HCA entries": (GREEN, ["attention: HCA entries"]),
          "window, selected": (SKY, ["attention: window", "attention: selected entries"]),
          "attention weights": (PURPLE, ["weights: attention"]),
          "experts": (BLUE, ["weights: routed experts", "weights: shared experts"]),
          "other weights": (GREY, ["weights: " + part for part in ("LM head", "compressors", "indexer", "router",
                                                                   "hyper-connections", "dense feed-forward")])}


def grouped(m, n):
    parts = flops(m, n)
    assert set(parts) <= {part for _, members in GROUPS.values() for part in members}
    return np.array([sum(parts.get(part, 0) + 0 * n for part in members) for _, members in GROUPS.values()])


models = (V32, PRO, FLASH)
heights = np.array([grouped(model, MILLION) for model in models]).T
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), sharex=True)
for axis, values in ((left, heights / 1e9), (right, 100 * heights / heights.sum(0))):
    bottom = np.zeros(3)
    for value, (name, (colour, _)) in zip(values, GROUPS.items()):
        axis.bar(range(3), value, 0.62, bottom=bottom, color=colour, label=name)
        bottom += value
    axis.set(xticks=range(3), xticklabels=[model.name for model in models])
for place, value in enumerate(heights.sum(0) / 1e9):
    left.text(place, value, f"{value:,.0f}", ha="center", va="bottom")
left.set(ylim=(0, 1300), ylabel="GFLOPs of the token, FP8-equivalent", title="What it costs")
right.set(ylabel="% of the model's own total", title="Which component")
handles, labels = left.get_legend_handles_labels()
left.legend(handles[::-1], labels[::-1], loc="upper right")
plt.show()

baseline = heights[:, 0].sum()
print("in % of the total of V3.2:" + "".join(f"{model.name:>10}" for model in models))
for name, row in zip(GROUPS, 100 * heights / baseline):
    print(f"   {name:23}" + "".join(f"{value:10.2f}" for value in row))
print(f"   {'all':23}" + "".join(f"{value:10.2f}" for value in 100 * heights.sum(0) / baseline))

scores = [flops(model, MILLION)["index scores"] for model in models]
compare("index scores of Flash = those of V3.2 · 21/61 layers · 1/4 keys · 1/2 FP4", scores[2] / 1e9,
        scores[0] * 21 / 61 / 4 / 2 / 1e9, 1e-9, "GFLOPs", label="by hand")
compare("index scores of Pro = those of V3.2 · 30/61 layers · 1/4 keys · 1/2 FP4", scores[1] / 1e9,
        scores[0] * 30 / 61 / 4 / 2 / 1e9, 1e-9, "GFLOPs", label="by hand")

# %% [markdown]
# **The answer for the FLOPs.** V3.2 chooses 2048 tokens, and reading them is cheap; but to choose, it scores every
# token in every layer, and at a million that is 88 % of the work. Flash asks in a third of the layers, one key for 4
# tokens, in FP4: 1/23. The layers in between have HCA, which needs no choice, and costs about as much again. So the
# 10 % are 3.8 for index scores, 3.6 for HCA, 0.4 for the rest of attention, and 2.4 for all weights, which are smaller
# (13B against 37B). Pro has HCA in 31 layers and not in 20, with twice the query heads: its largest part, 11 of 27.
#
# ## From which context on the indexer outweighs all the rest
# <!-- equations: (16) (26) -->
#
# ```
# V3.2    999,424 · N            >  weights + 2048 tokens
# Flash    43,008 · N            >  weights + window + 512 entries + 40,960 · N
# Pro      61,440 · N            >  weights + window + 1024 entries + 126,976 · N          never
# ```

# %%
def outweighs(m, first, last):
    """The smallest context from which on index scores are more than everything else; between `first` and `last`."""
    n = np.arange(first, last)
    parts = flops(m, n)
    more = 2 * parts["index scores"] > sum(parts.values())
    assert not more[0] and more[-1]
    return int(n[~more].max()) + 1


def lead_in_command(name, context):
    """Index scores less everything else, as the command counts them."""
    models = oracle_json("cost", "--context", context, "--json", "-")["models"]
    parts = next(model["flops"] for model in models if model["name"] == name)
    return 2 * parts["indexScores"] - parts["total"]


for model, first, last in ((V32, 1, 200_000), (FLASH, 15_500_000, 16_500_000)):
    crossing = outweighs(model, first, last)
    before, there = (lead_in_command(model.name, context) for context in (crossing - 1, crossing))
    assert before <= 0 < there
    print(f"{model.name}: from N = {crossing:,} on; the command: {before:,} FLOPs at one token less, +{there:,} there")
shares = [flops(PRO, n)["index scores"] / total_flops(PRO, n) for n in (MILLION, 2**32)]
print(f"V4-Pro: at a million {shares[0]:.1%}, at 2³² tokens {shares[1]:.2%}; the limit is"
      f" {61_440 / (61_440 + 126_976):.2%}")


def thousands(value, _):
    return f"{value / 1024:g}K" if value < MILLION else f"{value / MILLION:g}M"


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
n = np.unique(np.geomspace(1024, 64 * MILLION, 400).astype(int))
for model, colour in LOOK:
    left.plot(n, 100 * flops(model, n)["index scores"] / total_flops(model, n), color=colour, label=model.name)
left.axhline(50, color=BLACK, linestyle="--", linewidth=1)
left.text(1100, 51.5, "half")
left.axvline(MILLION, color=GREY)
left.text(1.15 * MILLION, 2, "a million")
left.set(ylim=(0, 105), title="What index scores are", ylabel="% of the model's own FLOPs")
n = n[n <= MILLION]
for model, colour in ((PRO, BLUE), (FLASH, ORANGE)):
    right.plot(n, 100 * total_flops(model, n) / total_flops(V32, n), color=colour, label=f"{model.name}, FLOPs")
    right.plot(n, 100 * cache(model, n).sum(0) / cache(V32, n).sum(0), color=colour, linestyle="--",
               label=f"{model.name}, cache")
right.set(ylim=(0, 105), title="Beside V3.2", ylabel="% of V3.2 at the same context")
for axis, place, powers in ((left, "upper left", range(10, 27, 4)), (right, "upper right", range(10, 21, 2))):
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(FuncFormatter(thousands))
    axis.set(xlabel="context N (tokens, log scale)", xticks=[2**power for power in powers])
    axis.minorticks_off()
    axis.legend(loc=place)
plt.show()

for context in (4096, 32_768, MILLION):
    print(f"N = {context:9,}: " + ", ".join(
        f"{model.name} {100 * total_flops(model, context) / total_flops(V32, context):.0f} % of the FLOPs, "
        f"{100 * cache(model, context).sum() / cache(V32, context).sum():.1f} % of the cache"
        for model in (FLASH, PRO)))

# %% [markdown]
# In V3.2 the indexer is more than everything else from 148,799 tokens on. Flash would have to go to 15.9 · 10⁶, 15
# times as far as it is made for (grey line), and in Pro it never comes to that. And the percentages belong to one
# context: those of the cache hardly move from 32K on, but between 4K and 1024K the FLOPs fall from 22 to 10 % for Flash
# and from 80 to 27 % for Pro, because at a short context weights are what counts. The kink at 2K is where the top-k of
# V3.2 (2048 tokens) and of Flash (512 entries of 4 tokens) fill up; that of Pro fills at 4K.
#
# ## Exercises
#
# 1. Let CSA of Flash pool 8 tokens in place of 4, all else the same. What are its cache and its FLOPs at a million, in
#    % of V3.2? (Hint: which of the four terms of `cache` and which parts of the work change?)
# 2. Let Flash keep index keys in FP8 as V3.2 does (132 B) and score them in FP8. Which of the two percentages suffers
#    more? (Hint: how large a part of each is the indexer?)
# 3. Flash selects 512 entries. What would 2048 cost in cache and in FLOPs?
# 4. V4.1-Flash is a later model, which this package does not run. It stores compressed entries in four layers only, and
#    other layers read those: layers 2, 8 and 14 keep one for 2 tokens, layer 20 one for each token. An entry has 512
#    channels in FP4 with a scale byte for each 16, an index key is that of V4. Its cache is stated as 890 B for a token.
#    Does that come out?
#
# The last cell computes the solutions.
#
# <details><summary>Solutions</summary>
#
# 1. CSA entries and index keys halve, HCA and windows stay: 3.8 % of the cache. Only index scores halve in the FLOPs,
#    since the 512 entries that are read stay 512: 8.2 %. (The compressors cost the same: each token is projected once.)
# 2. The FLOPs: index scores are their largest part and double, 10.1 → 13.9 %. The cache goes from 7.3 to 8.0 %.
# 3. Nothing in the cache: entries are kept whether they are read or not. In the FLOPs 1536 entries more in 21 layers,
#    at 262,144 FLOPs each: 8.5 G, 0.7 % of V3.2.
# 4. An entry: 512/2 + 512/16 = 288 B; a key: 68 B. 3 · (288 + 68)/2 + (288 + 68) = 890. A quarter of Flash.
#
# </details>

# %% [markdown]
# ## Computed solutions
#
# Try first: what follows are the answers.

# %%
def changed(cache_bytes, work_flops):
    return (f"cache {100 * cache_bytes / cache(V32, MILLION).sum():.2f} %, "
            f"FLOPs {100 * work_flops / total_flops(V32, MILLION):.2f} %")


windows, csa, hca, keys = cache(FLASH, MILLION)
everything, parts = total_flops(FLASH, MILLION), flops(FLASH, MILLION)
print("as it is:      ", changed(windows + csa + hca + keys, everything))
print("1. m = 8:      ", changed(windows + csa / 2 + hca + keys / 2, everything - parts["index scores"] / 2))
print("2. indexer FP8:", changed(windows + csa + hca + keys * 132 / 68, everything + parts["index scores"]))
wider = Model(**{**vars(FLASH), "top_k": 2048})
print("3. k = 2048:   ", changed(cache(wider, MILLION).sum(), total_flops(wider, MILLION)))
entry, key = 512 // 2 + 512 // 16, 128 // 2 + 128 // 32
newer = 3 * (entry + key) / 2 + (entry + key)
published("4. V4.1-Flash, a token", newer, 890, 1, "bytes")
print(f"   {per_token(FLASH).sum() / newer:.2f} times less than Flash")
