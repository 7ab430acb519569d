"""Which tap belongs to which picture, and what an overview makes of them."""

from typing import Any

Tap = dict[str, Any]
LAYER, LAST, BLOCK = "layers.{l}.", "layers.{l−1}.", "mtp.{k}."

COMPRESSED = {"attn.compressed_entries", "attn.indexer.selection"}  # a block of ratio 0 has none

PICTURES = {
    "model": "The model, without its layers",
    "hyper-connections": "The hyper-connections of a layer: attention site, expert site",
    "attention": "Attention of a layer: queries, window, core, output",
    "compressor": "The compressor of a CSA or HCA layer",
    "indexer": "The lightning indexer of a CSA layer",
    "experts": "Router and experts of a layer",
    "mtp": "Multi-token prediction: what a block has beside the taps of a layer",
}

OVERVIEW = {
    "start": "Embedding, n streams",
    "hc_attn": "Hyper-connection of the attention site",
    "queries": "Norm and queries",
    "window": "Sliding window",
    "compressor": "Compressor (CSA, HCA)",
    "indexer": "Lightning indexer (CSA)",
    "core": "Core attention, grouped output",
    "hc_attn out": "Post-mix of the attention site",
    "hc_ffn": "Hyper-connection of the expert site",
    "gate": "Norm and router",
    "experts": "Routed and shared experts",
    "hc_ffn out": "Post-mix of the expert site",
    "head": "Hyper-connection head, norm, LM head",
    "mtp": "Multi-token prediction",
}


def folded(taps: list[Tap]) -> set[str]:
    """The taps of an MTP block that are those of a layer. Raises ValueError where one differs from its twin."""
    by_name = {tap["tap"]: tap for tap in taps}
    found = set()
    for name, tap in by_name.items():
        twin = by_name.get(LAYER + name.removeprefix(BLOCK)) if name.startswith(BLOCK) else None
        twin = twin or (by_name.get(name.removeprefix(BLOCK)) if name.startswith(BLOCK + "hc_head.") else None)
        if twin is None:
            continue
        for key in ("axes", "equation", "step"):
            if tap[key] != twin[key]:
                raise ValueError(f"{name} and {twin['tap']} differ in {key}")
        here = ["hc_ffn.streams" if p == BLOCK + "projected" else p.replace(BLOCK, "") for p in tap["parents"]]
        there = [p.replace(LAST, "").replace(LAYER, "") for p in twin["parents"]]
        if [p for p in here if p not in COMPRESSED] != [p for p in there if p not in COMPRESSED]:
            raise ValueError(f"{name} is computed from {here}, and {twin['tap']} from {there}")
        found.add(name)
    return found


def picture_of(name: str) -> str:
    """The picture in which a tap is drawn."""
    if name.startswith(BLOCK):
        return "mtp"
    if not name.startswith(LAYER):
        return "model"
    short = name.removeprefix(LAYER)
    if short.startswith("hc_"):
        return "hyper-connections"
    if short.startswith("attn.indexer."):
        return "indexer"
    if short.startswith("attn.compressor.") or short == "attn.compressed_entries":
        return "compressor"
    return "attention" if short.startswith("attn.") else "experts"


def place_of(name: str) -> str:
    """The place of a tap in the overview."""
    if name in ("embedding", "streams"):
        return "start"
    if name.startswith(BLOCK):
        return "mtp"
    if not name.startswith(LAYER):
        return "head"
    short = name.removeprefix(LAYER)
    if short in ("hc_attn.streams", "hc_ffn.streams"):
        return short.split(".")[0] + " out"
    if short.startswith(("hc_attn.", "hc_ffn.")):
        return short.split(".")[0]
    picture = picture_of(name)
    if picture in ("indexer", "compressor"):
        return picture
    if short.startswith("attn.window"):
        return "window"
    if picture == "attention":
        return "queries" if short.startswith(("attn.hidden", "attn.quer")) else "core"
    return "gate" if short.startswith(("ffn.gate", "ffn.hidden")) else "experts"


def kind_of(tap: Tap) -> str:
    """How a tap is drawn."""
    if tap["tap"].endswith((".selection", ".indices")):
        return "choice"
    return "rounding" if tap["step"].startswith("QuantizationSteps.") else "value"
