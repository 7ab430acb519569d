"""What the numbers were measured on and with; no date and no name of a machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CPU = Path("/proc/cpuinfo")
MEMORY = Path("/proc/meminfo")
FLAGS = ("avx2", "avx512f", "amx_bf16", "asimd")
TILES = "amx_bf16"


def processor_lines() -> dict[str, str]:
    """The first processor of /proc/cpuinfo by key; nothing on other systems."""
    try:
        first = CPU.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def instruction_sets() -> list[str]:
    """Those of interest here that the processor has."""
    lines = processor_lines()
    found = (lines.get("flags") or lines.get("Features") or "").split()
    return [flag for flag in FLAGS if flag in found]


def has_tiles() -> bool:
    """Whether the machine has BF16 tile instructions."""
    return TILES in instruction_sets()


def memory_gigabytes() -> float | None:
    """Of the whole machine, in 10^9 bytes."""
    try:
        first = MEMORY.read_text(encoding="utf-8").splitlines()[0].split()
        return int(first[1]) * 1024 / 1e9
    except (OSError, IndexError, ValueError):
        return None


def describe() -> str:
    """One line."""
    name = processor_lines().get("model name") or platform.machine()
    memory = memory_gigabytes()
    parts = [f"{name}, {os.cpu_count()} cores", *([f"{memory:.0f} GB of memory"] if memory else []), platform.system()]
    return ", ".join(parts) + f"; {', '.join(instruction_sets()) or 'no instruction set of interest'}"


def versions(oracle: str, instruction_set: str) -> dict[str, str]:
    """Of both sides."""
    import torch
    import transformers

    return {"v4-oracle": f"{oracle} ({instruction_set})", "Python": platform.python_version(),
            "torch": f"{torch.__version__} ({torch.backends.cpu.get_cpu_capability()}"
                     f"{', MKL' if torch.backends.mkl.is_available() else ''})",
            "transformers": transformers.__version__}
