"""The registry of taps, as `v4-oracle taps --json -` prints it (taps.json)."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from importlib import resources

PLACES = {"{l}": r"\d+", "{k}": r"\d+"}  # the numbers of layer and MTP block
INTEGER_TAPS = ("indices", "selection")


@dataclass(frozen=True)
class Tap:
    """A named point of the model. `axes` are letters, as in ("T", "h", "c")."""

    name: str
    axes: tuple[str, ...]

    @property
    def is_integer(self) -> bool:
        return self.name.endswith(INTEGER_TAPS)

    @property
    def per_token(self) -> bool:
        """Whether the first axis is the tokens of the call; an MTP block counts pairs."""
        return self.axes[0] == "T" and not self.name.startswith("mtp.")


@functools.cache
def registry() -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
    """For each tap the form of its names, and its axes."""
    entries = json.loads(resources.files(__package__).joinpath("taps.json").read_text("utf-8"))
    result = []
    for entry in entries:
        form = re.escape(entry["tap"])
        for place, number in PLACES.items():
            form = form.replace(re.escape(place), number)
        result.append((re.compile(form), tuple(entry["axes"].strip("[]").split(", "))))
    return result


def find_tap(name: str) -> Tap:
    """The tap of this name, as in `layers.2.attn.queries`. Raises KeyError where the registry has none."""
    for form, axes in registry():
        if form.fullmatch(name):
            return Tap(name, axes)
    raise KeyError(f"the registry has no tap {name}")
