"""README.md against the exports."""

import re
from pathlib import Path

LINK = re.compile(r"\((\d\d-[\w-]+\.(?:ipynb|html))\)")


def index_faults(readme: Path, names: list[str]) -> list[str]:
    """What keeps README.md from listing both exports of each of `names` once, and nothing else."""
    listed = LINK.findall(readme.read_text(encoding="utf-8"))
    wanted = [f"{name}.{ending}" for name in names for ending in ("html", "ipynb")]
    faults = [f"README.md does not list {export}" for export in wanted if export not in listed]
    faults += [f"README.md lists {export}, which has no source" for export in sorted({*listed} - {*wanted})]
    return faults + [f"README.md lists {export} twice" for export in sorted({*listed}) if listed.count(export) > 1]
