# %% [markdown]
# # Why is the output of attention rotated back?
#
# DeepSeek-V4 keeps one vector per entry and uses it as key *and* as value, for all heads (report 2.3.3). A rotary
# embedding turns keys by their position, so here it turns values, too. This notebook shows what is turned, how fast,
# how YaRN stretches it to a million tokens, why the output has to be turned back, and how exact an angle has to be.
#
# You should know: attention with queries, keys and values, RMS norm, complex numbers `e^{iφ}`. You need not have read
# the report. Numbers are compared with *golden cases*: files of inputs, weights and expected outputs, which generators
# computed independently of the Swift code ([more](README.md)).

# %%
from decimal import Decimal, getcontext

import matplotlib.pyplot as plt
import numpy as np
from study import case, compare, number, published, quote

# %% [markdown]
# ## Which channels turn, and how
#
# <!-- equations: 2.3.3-rotary -->
#
# A head has c = 512 channels, and only the last r = 64 of them turn. They form 32 pairs of *neighbours*. Pair j of a
# token at position t turns by the angle φ = t · f_j:
#
# ```
# (a, b) ← (a cos φ − b sin φ,  a sin φ + b cos φ)          a, b: channels 2j, 2j + 1 of the last r
# f_j = θ^(−2j/r),   j = 0 … r/2 − 1                        2.3.3-rotary
# ```
#
# Seen as a complex number, a pair a + ib is multiplied by e^{iφ}. That is how we compute it here, while Swift does it
# with sines and cosines.

# %%
quote("Sources/RotaryEmbedding/RotarySteps.swift", "private func rotatedPairs")


# %%
def rotate(x, positions, frequencies, direction=1):
    """x [T, h, c], positions [T], frequencies [r/2]; as complex numbers."""
    first = x.shape[-1] - 2 * len(frequencies)
    pairs = x[..., first::2] + 1j * x[..., first + 1::2]
    pairs = pairs * np.exp(1j * direction * np.multiply.outer(positions, frequencies))[:, None, :]
    turned = x.astype(float)
    turned[..., first::2], turned[..., first + 1::2] = pairs.real, pairs.imag
    return turned


pair = np.arange(32)
sliding = case("published/rotary-embedding/rotary-sliding")
x, positions = sliding.inputs["x"], sliding.inputs["positions"]
plain = sliding.parameters["theta"] ** (-pair / 32)
compare("frequencies, θ = 10000", plain, sliding.expected["frequencies"], 1e-12, "rad/token")
compare("rotated", rotate(x, positions, plain), sliding.expected["rotated"], 1e-11)

moved = np.abs(sliding.expected["rotated"] - x)[-1, 0]
compare("moved, of the first 448 channels", moved[:448], np.zeros(448), 0, label="wanted")
figure, axes = plt.subplots(figsize=(8.5, 2.8))
axes.bar(np.arange(430, 512), moved[430:])
axes.axvline(447.5, color="black", linewidth=1, linestyle=":")
axes.set(xlabel="channel", ylabel="moved by (no unit)", title=f"the last channels of a head at position {positions[-1]}");

# %% [markdown]
# The first 448 channels carry content without position. The deployed model stores those of an entry in FP8, and the last
# 64 in BF16.
#
# **Only distances matter.** The product of a query at position t and a key at position s contains e^{i(t − s)f}. Move
# both by any distance and it stays the same.

# %%
rng = np.random.default_rng(3)
query, key = rng.standard_normal((2, 1, 1, 512))


def score(t, s, frequencies):
    return (rotate(query, [t], frequencies) * rotate(key, [s], frequencies)).sum()


compare("score of distance 40, moved by 1000 tokens", score(1100, 1060, plain), score(100, 60, plain), 1e-10, label="unmoved")

# %% [markdown]
# ## Two thetas
#
# A layer without compression sees 128 tokens back, so short distances are all it needs. A layer with compressed entries
# sees all the way back to the start, up to a million tokens. So the released models have two settings:
#
# | layer | θ | YaRN |
# | --- | --- | --- |
# | sliding window only, and the MTP block (it guesses one token more) | 10000 | no |
# | CSA and HCA: queries, window entries, compressed entries, indexer, and the inverse on the output | 160000 | factor 16 from 65536 tokens |
#
# One setting serves a *whole* layer. An engine that picks θ by kind of entry instead of by kind of layer turns queries
# and keys at different speeds.
#
# ## YaRN: one rule for fast pairs, another for slow ones
#
# <!-- equations: 2.3.3-yarn -->
#
# The model was trained on up to L = 65536 tokens and then extended 16-fold. A fast pair turns many times within L, so
# the model has seen all of its angles. A slow pair has not made one turn within L, and at a million tokens it would
# reach angles that never occurred. YaRN divides the frequencies of slow pairs by 16, keeps those of fast ones, and
# goes linearly between.
#
# ```
# index(b) = r · ln(L / 2πb) / (2 ln θ)             the pair that turns b times within L
# low  = ⌊index(32)⌋,  high = ⌈index(1)⌉            pairs below low stay, pairs from high on are divided
# ramp_j = clamp((j − low) / (high − low), 0, 1)
# f_j ← f_j / 16 · ramp_j + f_j · (1 − ramp_j)       2.3.3-yarn
# ```

# %%
quote("Sources/RotaryEmbedding/RotarySteps.swift", "public func frequencies")

# %%
compressed = case("published/rotary-embedding/rotary-compressed")
THETA, LENGTH, FACTOR = (compressed.parameters[name] for name in ("theta", "yarn_original_length", "yarn_factor"))


def index(turns):
    """The pair whose wavelength is LENGTH / turns, as a real number."""
    return 32 * np.log(LENGTH / (2 * np.pi * turns)) / np.log(THETA)


low = np.floor(index(compressed.parameters["yarn_beta_fast"]))
high = np.ceil(index(compressed.parameters["yarn_beta_slow"]))
print(f"index(32) = {number(index(32))}, index(1) = {number(index(1))}: low = {low:.0f}, high = {high:.0f} of 32 pairs")

stretched = THETA ** (-pair / 32)
ramp = np.clip((pair - low) / (high - low), 0, 1)
yarn = stretched / FACTOR * ramp + stretched * (1 - ramp)
compare("frequencies with YaRN", yarn, compressed.expected["frequencies"], 1e-12, "rad/token")
compare("rotated with YaRN", rotate(compressed.inputs["x"], compressed.inputs["positions"], yarn),
        compressed.expected["rotated"], 1e-11)

figure, panels = plt.subplots(1, 2, figsize=(8.8, 4.4), width_ratios=[3, 2])
for (label, frequencies), style in zip({"θ = 10000": plain, "θ = 160000": stretched,
                                        "θ = 160000 with YaRN": yarn}.items(), ("--", ":", "-")):
    panels[0].semilogy(pair, 2 * np.pi / frequencies, style, label=label)
for tokens, label in ((128, "window: 128"), (LENGTH, "L = 65536"), (FACTOR * LENGTH, "16 L = 1048576")):
    panels[0].axhline(tokens, color="black", linewidth=0.8)
    panels[0].annotate(label, (0, tokens), xytext=(0, 3), textcoords="offset points")
panels[0].axvspan(low, high, color="black", alpha=0.08)
panels[0].set(xlabel="pair", ylabel="wavelength (tokens)", title="one full turn of each pair")
panels[0].legend(loc="lower right")
panels[1].plot(pair, yarn / stretched, "-")
panels[1].axvspan(low, high, color="black", alpha=0.08)
panels[1].set(xlabel="pair", ylabel="frequency with YaRN ÷ without (no unit)", title="what YaRN does to each", ylim=(0, 1.05));

# %% [markdown]
# The amplitude of sine and cosine stays 1. Generic YaRN code multiplies both by 0.1 ln(16) + 1 = 1.277, and an engine
# that keeps this gets scores of the rotated part that are 1.63 times too large.
#
# Two details decide whether low and high come out right: the pair is counted with the *new* θ and the *old* length,
# and the two bounds are rounded outwards. Another rounding moves the ramp by one pair, which is a tenth of its length.
#
# ## First the norm, then the rotation
#
# <!-- equations: 2.3.3-head-norm -->
#
# Before they are rotated, each query head and each entry is divided by its RMS over all c channels. For queries there is
# no weight, for entries there is one.
#
# ```
# q ← q / RMS(q)            each head                     2.3.3-head-norm
# e ← e / RMS(e) · w        each entry
# ```
#
# A rotation does not change the length of a pair, so it does not change the RMS. Without a weight, norm and rotation could
# change places. With a weight they cannot: w has two different values for the two channels of a pair.

# %%
quote("Sources/CoreAttention/AttentionSteps+Projections.swift", "public func normalizedHeads")
quote("Sources/CoreAttention/AttentionSteps+Projections.swift", "public func normalizedEntry")


# %%
def rms_norm(x, weight=1):
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + layer.parameters["norm_epsilon"]) * weight


layer = case("published/core-attention/sliding")
tokens, heads = np.arange(len(layer.inputs["hidden"])), layer.parameters["heads"]
weights = {name: value.astype(float) for name, value in layer.weights.items()}
hidden = layer.inputs["hidden"].astype(float)

latent = rms_norm(hidden @ weights["query_down"].T, weights["query_norm"])
raw = (latent @ weights["query_up"].T).reshape(len(tokens), heads, 512)
queries = rotate(rms_norm(raw), tokens, plain)
entry = hidden @ weights["kv_projection"].T
entries = rotate(rms_norm(entry, weights["kv_norm"])[:, None], tokens, plain)[:, 0]
compare("queries", queries, layer.expected["queries"], 1e-11)
compare("window entries", entries, layer.expected["window_entries"], 1e-11)

turned_first = rms_norm(rotate(raw, tokens, plain))
compare("queries, rotation first", turned_first, layer.expected["queries"], 1e-11)
turned_first = rms_norm(rotate(entry[:, None], tokens, plain)[:, 0], weights["kv_norm"])
print(f"entries, rotation first: off by up to {np.abs(turned_first - entries).max():.2g}")

# %% [markdown]
# ## Why the output is rotated back
#
# <!-- equations: 2.3.3-inverse-rotary -->
#
# Usually a value is not rotated. Here value = key, so what a head sums up is rotated by the positions of the entries. Write
# R_s for the rotation at position s, e_s for the entry before it, and p_s for the attention of the query at t:
#
# ```
# o_t = Σ_s p_s · R_s e_s                           depends on where the sequence starts
# R_t⁻¹ o_t = Σ_s p_s · R_(s − t) e_s               depends on distances only            2.3.3-inverse-rotary
# ```
#
# The inverse rotation at the position of the *query* turns every absolute position into a distance. It is not the
# inverse of any single key's rotation, so values stay a little rotated: each tells how far away it was.

# %%
quote("Sources/CoreAttention/AttentionSteps+Projections.swift", "public func derotated")


# %%
def attended(queries, entries, positions, inverse=True):
    """Attention of each token to itself and all before it, with a sink for each head in the denominator."""
    scores = np.einsum("thc,sc->ths", queries, entries) / np.sqrt(512)
    scores = np.where(np.arange(len(entries)) <= np.arange(len(queries))[:, None, None], scores, -np.inf)
    exponentials = np.exp(scores)
    probabilities = exponentials / (exponentials.sum(axis=-1) + np.exp(weights["sinks"]))[..., None]
    output = np.einsum("ths,sc->thc", probabilities, entries)
    return rotate(output, positions, plain, -1) if inverse else output


compare("attended, rotated back", attended(queries, entries, tokens), layer.expected["attended"], 1e-10)

# %% [markdown]
# The golden case starts at position 0. Now let the same tokens stand later in a text, and compare what the heads give.

# %%
normed_queries, normed_entries = rms_norm(raw), rms_norm(entry, weights["kv_norm"])


def at(start, inverse):
    """The output where the first token stands at position `start`."""
    positions = start + tokens
    turned = rotate(normed_entries[:, None], positions, plain)[:, 0]
    return attended(rotate(normed_queries, positions, plain), turned, positions, inverse)


starts = np.unique(np.rint(np.logspace(0, 5, 120)).astype(int))
change = {inverse: np.array([np.abs(at(start, inverse) - at(0, inverse)).max() for start in starts])
          for inverse in (True, False)}
assert change[True].max() < 1e-9
figure, axes = plt.subplots(figsize=(8, 3.4))
axes.semilogx(starts, change[False], "-", label="not rotated back")
axes.semilogx(starts, np.where(change[True] < 1e-9, 0, change[True]), "--", label="rotated back: below 10⁻⁹")
axes.set(xlabel="position of the first token", ylabel="largest change of the output (no unit)",
         title="The same tokens, elsewhere in the text")
figure.legend(loc="outside lower center", ncols=2);

# %% [markdown]
# An engine that forgets the inverse is right at position 0 only. One token later the fastest pair has turned by a whole
# radian, and the output projection gets values turned by angles that it was not trained for.
#
# A compressed entry stands for several tokens. It is rotated at the position of the *first* token of its block.

# %%
quote("Sources/TokenCompression/CompressionSteps.swift", "public func entryPosition")

# %% [markdown]
# ## How exact is an angle at a million tokens?
#
# The deployed model multiplies a float32 position by a float32 frequency. Both are fine, but the product is large: its
# 24 bits are shared between the number of turns, which does not matter, and the angle within a turn, which does. We
# compute the true angle with 40 decimal digits, and take the float32 frequencies from the golden cases.

# %%
quote("Sources/RotaryEmbedding/RotarySteps.swift", "public func angle")

# %%
getcontext().prec = 40


def exact_frequencies(theta, with_yarn):
    """With 40 digits."""
    result = []
    for j in range(32):
        frequency = Decimal(theta) ** (Decimal(-j) / 32)
        part = min(max((Decimal(j) - int(low)) / int(high - low), Decimal(0)), Decimal(1)) if with_yarn else 0
        result.append(frequency / 16 * part + frequency * (1 - part))
    return result


def worst(angles, position, exact):
    """The largest error of 32 angles, in radians."""
    return max(float(abs(Decimal(float(angle)) - position * frequency)) for angle, frequency in zip(angles, exact))


steps = [*(int(step) for step in np.rint(np.logspace(0, 6, 60))), 1048575]
figure, axes = plt.subplots(figsize=(8, 4))
for name, theta, style in (("sliding", 10000, "--"), ("compressed", 160000, "-")):
    exact = exact_frequencies(theta, name == "compressed")
    table = case(f"published/rotary-embedding/rotary-{name}-long").weights["frequency_table"]
    assert (table == np.array([float(f) for f in exact], np.float32)).all(), "the table is the exact one, rounded once"
    errors = [worst(np.float32(step) * table, step, exact) for step in steps]
    axes.loglog(steps, errors, style, label=f"float32, θ = {theta}")
    wide = worst(1048575 * np.array([float(f) for f in exact]), 1048575, exact)
    assert wide < 1e-9
    print(f"{name}: at position 1048575 float32 is off by {errors[-1]:.2g} radians, float64 by less than 1e-9")
    if name == "compressed":
        # What docs/deviations.md says.
        for position, stated, step in ((100, 2e-6, 1e-6), (10_000, 3e-4, 1e-4), (1_048_575, 0.024, 1e-3)):
            published(f"float32 at position {position}", worst(np.float32(position) * table, position, exact), stated,
                      step, "radians", label="documented")
        near = np.arange(2**20 - 2**16, 2**20)
        offs = np.abs((near.astype(np.float32)[:, None] * table).astype(float)
                      - near[:, None] * np.array([float(f) for f in exact])).max(axis=1)
        print(f"compressed: of the last 65536 positions below 2^20 the worst, {near[offs.argmax()]}, is off by"
              f" {offs.max():.2g} radians, the middle one by {np.median(offs):.2g}")
axes.set(xlabel="position", ylabel="largest error of an angle (radians)", title="Angles in float32")
axes.legend();

# %% [markdown]
# At position 1,048,575 the error is 0.024 radians, which is 1.4 degrees. That is an ordinary position; elsewhere near a
# million the error reaches 0.055 radians, 3.2 degrees. Both the query and the entry carry such an error, and they do not cancel, because
# each is rounded at its own position. This is what the released code does, so it is not a bug. But an engine that
# computes angles in float64 is *not* equal to the released one far into a long text, and a comparison has to say which
# of the two it means. The golden cases have both.

# %%
long = case("published/rotary-embedding/rotary-compressed-long")
far, table = long.inputs["positions"], long.weights["frequency_table"]
deployed_angles = (far.astype(np.float32)[:, None] * table).astype(float)


def rotate_by(x, angles):
    """Like `rotate`, with angles [T, r/2] instead of positions."""
    return np.concatenate([rotate(x[[token]], [1], angle) for token, angle in enumerate(angles)])


compare("rotated by float32 angles", rotate_by(long.inputs["x"], deployed_angles),
        long.expected["rotated"], 1e-11)
true_angles = far[:, None] * np.array([float(f) for f in exact_frequencies(160000, True)])
apart = np.abs(rotate_by(long.inputs["x"], true_angles) - long.expected["rotated"]).max(axis=(1, 2))
for position, difference in zip(far, apart):
    print(f"position {position:7}: exact angles give another result by up to {difference:.1e}")

# %% [markdown]
# ## What each bug does
#
# Five mistakes that engines made with the rotation itself, once more in NumPy. Each is run on the golden cases of the
# rotation. The manifest holds what the same mistake did in Swift, in multiples of a case's tolerance.

# %%
HALVES = np.arange(64).reshape(2, 32).T.ravel()  # 0, 32, 1, 33, …: pairs (j, j + r/2) side by side


def half_split(x, positions, f, direction):
    order = np.concatenate([np.arange(x.shape[-1] - 64), x.shape[-1] - 64 + HALVES])
    return rotate(x[..., order], positions, f, direction)[..., np.argsort(order)]


def first_channels(x, positions, f, direction):
    return np.roll(rotate(np.roll(x, -64, axis=-1), positions, f, direction), 64, axis=-1)


def scaled(x, positions, f, direction):
    turned = rotate(x, positions, f, direction)
    turned[..., -64:] *= 0.1 * np.log(16) + 1
    return turned


BUGS = {  # what is done with the right frequencies, and with the rotation
    "rope-half-split-pairs": (lambda f: f, half_split),
    "rope-first-dims": (lambda f: f, first_channels),
    "rope-reciprocal-frequency": (lambda f: 1 / f, rotate),
    "yarn-missing-on-compressed-layers": (lambda f: stretched, rotate),
    "yarn-mscale-on-cos-sin": (lambda f: f, scaled),
}
for bug, (frequencies_of, turn) in BUGS.items():
    ours, theirs = [], []
    for name in ("compressed", "compressed-inverse", "index"):
        stored = case(f"published/rotary-embedding/rotary-{name}")
        right = stored.expected["frequencies"]
        wrong = frequencies_of(right)
        direction = 1 if stored.parameters["direction"] == "forward" else -1
        turned = turn(stored.inputs["x"].astype(float), stored.inputs["positions"], wrong, direction)
        limits = {tensor: entry["tolerance"]["float"] for tensor, entry in stored.entry["tensors"].items()}
        ours.append(max(np.abs(wrong / right - 1).max() / limits["frequencies"],
                        np.abs(turned - stored.expected["rotated"]).max() / limits["rotated"]))
        theirs.append(stored.entry["kills"][bug])
    compare(f"{bug}, NumPy ÷ Swift", np.divide(ours, theirs), np.ones(3), 0.006, label="wanted")
    print(f"    off by at least {min(theirs):.2g} tolerances")

# %% [markdown]
# What do they mean for attention? Take a query and a key whose pairs all point the same way. Their score as a function of
# distance is the mean of cos(f_j · distance) over the pairs. It falls with distance.

# %%
distance = np.unique(np.rint(np.logspace(0, 6, 400)).astype(int))


def mean_cosine(frequencies):
    """Averaged over distances within 10 % as well, so that fast pairs do not hide the curve."""
    near = np.linspace(0.95, 1.05, 41)
    return np.array([np.cos(np.multiply.outer(d * near, frequencies)).mean() for d in distance])


curves = {
    "right: θ = 160000 with YaRN": yarn,
    "YaRN missing": stretched,
    "θ = 10000, of sliding layers": plain,
    "reciprocal frequencies": 1 / yarn,
}
figure, axes = plt.subplots(figsize=(8.5, 4.4))
for (label, frequencies), style in zip(curves.items(), ("-", "--", "-.", ":")):
    axes.semilogx(distance, mean_cosine(frequencies), style, label=label)
axes.semilogx(distance, mean_cosine(yarn) * (0.1 * np.log(16) + 1) ** 2, linestyle=(0, (5, 1, 1, 1, 1, 1)),
              label="amplitude 1.277 on both")
axes.axvline(LENGTH, ymax=0.6, color="black", linewidth=0.8)
axes.annotate("L", (LENGTH, -0.15), xytext=(3, 0), textcoords="offset points")
axes.set(xlabel="distance between query and entry (tokens)", ylabel="score of aligned pairs (no unit)",
         title="How the score falls with distance")
axes.legend(loc="upper right");

# %% [markdown]
# - **YaRN missing**: right up to about a thousand tokens, then the slow pairs run ahead. Short texts show little of it.
# - **θ of sliding layers**: at ten thousand tokens nothing is left of the score, where the right one is still far from 0.
#   Worse where only the queries have it: then the score depends on more than the distance.
# - **Reciprocal frequencies**: noise at every distance.
# - **Amplitude**: 1.63 times the weight on position.
#
# Two bugs do not show in this picture. Half-split pairs on queries and keys alike still depend on distances alone, but the
# weights were trained for neighbours. The first 64 channels instead of the last do the same to channels that were
# trained to carry no position.

# %% [markdown]
# ## Exercises
#
# **1.** Which pairs give every distance from 0 to 1,000,000 an angle of its own? *Hint: the pair may not have made a full
# turn before; look at its wavelength with YaRN.*
#
# <details><summary>Solution</summary>
#
# Those whose wavelength is at least about a million tokens: `(2 * np.pi / yarn >= 1_000_000).nonzero()` gives the pairs
# from 25 on, the very ones that YaRN divides by 16. Without YaRN (`stretched`) there is none.
#
# </details>
#
# **2.** An engine rotates compressed entry j at the *last* token of its block, j·m + m − 1. For HCA m = 128. Does that
# matter for slow pairs? For fast ones? *Hint: the error of the angle is 127 · f_j.*
#
# <details><summary>Solution</summary>
#
# Pair 0 has f = 1, so the error is 127 radians: noise. For a pair with f < 10⁻⁴ it is below 0.0127 radians, which is less
# than float32 angles are off at a million tokens. `(127 * yarn < 0.0127).sum()` counts those: 10 of 32.
#
# </details>
#
# **3.** Why is the inverse at position t, and not at the position of the entry with the largest weight? *Hint: what
# happens to the output where two entries nearly tie?*
#
# <details><summary>Solution</summary>
#
# The other choice depends on distances only, too: the same sentence later has the same winner at the same distance. But
# the output would jump where the winner changes. A fixed offset, t + 5, would serve as well; t is the natural origin.
#
# </details>
