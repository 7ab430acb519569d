"""What a run found, as Markdown, as JSON, and in the page between its two markers."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure import (FEWEST_REPEATS, QUICK_SECONDS, SHORT_SECONDS, SHORT_VISITS, SLOW_SECONDS, TURN_SECONDS,
                     Row)  # fmt: skip
from memory import Peak
from picture import Bar, picture
from targets import DECODE_POSITION, FLOOR, MEMORY_SHARE, SINKHORN_MATRICES, Target

BEGIN, END = "<!-- bench-peers begin -->", "<!-- bench-peers end -->"
FLOPS, RATE = 1e9, 1e9  # GFLOP/s, GB/s


class ReportError(Exception):
    """The page cannot be written; one sentence."""


@dataclass
class Run:
    """Everything that was measured, and a sentence for each thing that was not."""

    machine: str
    versions: dict[str, str]
    threads: int
    repeats: int
    rows: list[Row] = field(default_factory=list)
    peaks: list[Peak] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    in_turn: dict[int, list[float]] = field(default_factory=dict)  # our times of a decoded token at each position

    def range_of(self, limit: str, unit: float) -> str:
        """Of a limit of the machine, from row to row."""
        values = [row.limit(limit) / unit for row in self.rows]
        return f"{min(values):.0f} to {max(values):.0f}" if values else "–"


# --- Cells -----------------------------------------------------------------------------------------------------------


def duration(seconds: float) -> str:
    """With three digits and a unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            return f"{digits(seconds * factor)} {unit}"
    raise AssertionError


def digits(value: float) -> str:
    """Three significant digits without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(times: list[float], median: float) -> str:
    return f"{duration(median)} ({duration(min(times))} – {duration(max(times))})"


def times_as_fast(value: float) -> str:
    return f"{digits(value)}×"


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def verdict(met: bool | None) -> str:
    return {True: "met", False: "**not met**", None: "–"}[met]


def size_of(row: Row) -> str:
    return "–" if row.task.size == SINKHORN_MATRICES else f"{row.task.size}"


def asked(target: Target) -> str:
    return f"≥ {target.speed:g}×" if target.speed is not None else "–"


def limit_asked(target: Target) -> str:
    return f"≥ {percent(target.share)}" if target.limit else "–"


# --- Tables ----------------------------------------------------------------------------------------------------------


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main_table(run: Run) -> str:
    """Every kernel; the decoded token at the position of its target only."""
    cells = []
    for row in run.rows:
        if row.task.position not in (None, DECODE_POSITION):
            continue
        target = row.task.target
        bound = target.limit or row.bound
        cells.append([
            row.task.case.title, size_of(row), row.task.case.peer, spread(row.ours, row.our_median),
            spread(row.theirs, row.their_median), times_as_fast(row.ratio), asked(target),
            f"{percent(row.share(run.threads))} of {'FMA' if bound == 'compute' else 'copy'}",
            limit_asked(target), verdict(row.met(run.threads)), f"{len(row.ours)}"])
    return table(["kernel", "tokens", "against", "ours", "theirs", "ratio", "asked", "our share of the limit", "asked",
                  "", "runs"], cells)


def decode_rows(run: Run) -> list[Row]:
    return [row for row in run.rows if row.task.position is not None]


def decode_table(run: Run) -> str:
    """One token at several positions, and how far our times in turn are from a line."""
    rows = decode_rows(run)
    places = [row.task.position or 0 for row in rows]
    alone = {place: statistics.median(times) for place, times in run.in_turn.items()}
    cells = [[f"{place:,}", f"{place // 4:,}", duration(row.our_median), duration(row.their_median),
              times_as_fast(row.ratio), duration(alone[place]) if alone else "–"]
             for place, row in zip(places, rows, strict=True)]
    text = table(["position", "compressed entries", "ours", "theirs", "ratio", "ours, positions in turn"], cells)
    if not alone:
        return text
    start, slope, error = line_through([place / 4 for place in alone], list(alone.values()))
    rounds = min(len(times) for times in run.in_turn.values())
    return (f"{text}\n\nThe last column is our side alone, with the same weights, one position after the other "
            f"{rounds} times. These medians are a line within {percent(error)}: {duration(max(start, 0.0))} and "
            f"{duration(slope * 1e6) if slope > 0 else '0 s'} for each million of entries.")


def line_through(x: list[float], y: list[float]) -> tuple[float, float, float]:
    """Start and slope by least squares, and the largest error relative to the point."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = (sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
             / sum((a - mean_x) ** 2 for a in x))
    start = mean_y - slope * mean_x
    return start, slope, max(abs(start + slope * a - b) / b for a, b in zip(x, y, strict=True))


def memory_table(run: Run) -> str:
    """Whole layers, each side in a process of its own."""
    cells = [[peak.title, f"{peak.size}",
              *map(gigabytes, (peak.ours, peak.theirs, peak.libraries, peak.built)),
              percent(peak.share), f"≤ {percent(MEMORY_SHARE)}", verdict(peak.share <= MEMORY_SHARE)]
             for peak in run.peaks]
    columns = ["layer", "tokens", "ours", "theirs", "their libraries alone", "with their weights, before the run",
               "ours of theirs", "asked", ""]
    return table(columns, cells)


def gigabytes(count: float) -> str:
    return f"{count / 1e9:.2f} GB"


def work_table(run: Run) -> str:
    """What each name of the other side stands for."""
    cases = {row.task.case.name: row.task.case for row in run.rows}
    return table(["kernel", "against", "what runs there"],
                 [[case.title, case.peer, case.work] for case in cases.values()])


# --- The whole -------------------------------------------------------------------------------------------------------


def header(run: Run) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    return "\n".join([
        f"Machine: {run.machine}. {run.threads} threads on both sides, float32.",
        f"With {versions}.", "",
        "Limits of the machine, measured right after each of our runs, the medians from row to row: "
        f"fused multiply-adds {run.range_of('fmaPerSecondOne', FLOPS)} GFLOP/s on one thread, "
        f"{run.range_of('fmaPerSecondAll', FLOPS)} on all; memcpy {run.range_of('copyBytesPerSecondOne', RATE)} and "
        f"{run.range_of('copyBytesPerSecondAll', RATE)} GB/s, read and written; a copy past the caches, which reads "
        f"nothing but its source, {run.range_of('streamedCopyBytesPerSecondAll', RATE)} GB/s on all. "
        "Shares of copy are of memcpy. A share is the median of what each run "
        "reached of the limit of its moment."])


def method(run: Run) -> str:
    return "\n".join([
        "Each side runs once to warm up, then both in turn; where the quicker side takes less than "
        f"{QUICK_SECONDS:g} s, each runs twice or more in its turn, {TURN_SECONDS:g} s or so, and the last run counts. "
        "Times are medians with the fastest and the slowest run; "
        f"{run.repeats} runs, {run.repeats * SHORT_VISITS} in {SHORT_VISITS} visits minutes apart where both sides take "
        f"less than {SHORT_SECONDS:g} s, "
        f"{min(run.repeats, FEWEST_REPEATS)} where it takes more than {SLOW_SECONDS:g} s. The ratio is that of the "
        "medians: above 1 ours is faster. A share of the limit counts the work that the kernel has to do, not what an "
        "implementation spends. transformers runs eagerly, in inference mode, on random weights at the widths of "
        "Flash; an expert block has 8 experts and the shared one. Setting up is not timed on either side."])


def markdown(run: Run, picture_name: str | None = None) -> str:
    """All of it."""
    parts = [header(run), method(run)]
    if picture_name:
        parts.append(f"![How many times as fast as transformers each kernel is]({picture_name})")
    parts.append(main_table(run))
    if len(decode_rows(run)) > 1:
        parts += ["One token through a whole CSA layer, at several positions:", decode_table(run)]
    if run.peaks:
        parts += ["Most memory that a fresh process had resident, weights and libraries included:", memory_table(run)]
    parts += ["What runs on the other side:", work_table(run)]
    parts += [f"Not measured: {sentence}." for sentence in run.missing]
    return "\n\n".join(parts) + "\n"


def bars(run: Run) -> list[Bar]:
    """One for each row of which the targets ask more than the floor."""
    found = []
    for row in run.rows:
        target, case = row.task.target, row.task.case
        if target.speed is not None and target is not FLOOR and row.task.position in (None, DECODE_POSITION):
            size = "" if len(case.targets) == 1 else f", {row.task.size}"
            found.append(Bar(f"{case.title}{size}", row.ratio, target.speed, row.ratio >= target.speed))
    return found


def as_json(run: Run) -> str:
    """All raw figures."""
    value: dict[str, Any] = {
        "machine": run.machine, "versions": run.versions, "threads": run.threads, "repeats": run.repeats,
        "rows": [row_fields(run, row) for row in run.rows],
        "memory": [{"case": peak.case, "tokens": peak.size, "ours": peak.ours, "theirs": peak.theirs,
                    "libraries": peak.libraries, "built": peak.built, "target": MEMORY_SHARE} for peak in run.peaks],
        "inTurn": {f"{place}": times for place, times in run.in_turn.items()}, "missing": run.missing}
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def row_fields(run: Run, row: Row) -> dict[str, Any]:
    task, target = row.task, row.task.target
    return {"case": task.case.name, "against": task.case.peer, "tokens": task.size, "position": task.position,
            "ours": row.ours, "theirs": row.theirs, "ratio": row.ratio, "flops": row.flops, "bytes": row.bytes,
            "bound": row.bound, "limits": row.limits, "share": row.share(run.threads),
            "target": {"speed": target.speed, "limit": target.limit, "share": target.share},
            "met": row.met(run.threads)}


# --- Files -----------------------------------------------------------------------------------------------------------


def parts_of(page: Path) -> tuple[str, str]:
    """What stands before and after the generated part. Raises ReportError where the markers are not there once."""
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ReportError(f"{page.name} cannot be read") from None
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ReportError(f"{page.name} must have {BEGIN} and, after it, {END}, each once")
    return text[:text.index(BEGIN)], text[text.index(END) + len(END):]


def write_page(run: Run, page: Path) -> list[Path]:
    """The page, its picture and its figures, each under a temporary name first. -> what was written"""
    before, after = parts_of(page)
    drawing, figures = page.with_suffix(".svg"), page.with_suffix(".json")
    generated = f"{BEGIN}\n\n{markdown(run, drawing.name)}\n{END}"
    files = {drawing: picture(bars(run), "Times as fast as the other side"), figures: as_json(run),
             page: before + generated + after}
    for path, text in files.items():
        write(path, text)
    return list(files)


def write(path: Path, text: str) -> None:
    """Whole or not at all. Raises ReportError where it cannot."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ReportError(f"{path.name} cannot be written: {error.strerror}") from None
