"""Times our fast kernels beside PyPI torch and transformers, in turn, in one run, on the same number of threads.

    python golden/benchmarks/bench_peers.py --v4-oracle PATH

Our side is `v4-oracle bench --serve`. A run of everything writes docs/performance.md between its markers, the picture
docs/performance.svg and all figures, docs/performance.json; a run of a part only prints. Exit code 0 if everything was
measured, 1 if something was not, 2 for an input that cannot be used. Whether targets are met is told, not judged.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from machine import describe, has_tiles, versions
from measure import FEWEST_REPEATS, REPEATS, SHORT_VISITS, Row, Side, Task, in_turn, measure, tasks_of
from memory import Peak, PeakError, our_peak, their_peak
from protocol import Oracle, OracleError, Refusal
from report import ReportError, Run, as_json, decode_rows, markdown, parts_of, write, write_page
from targets import cases

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
MakeSide = Callable[[str, int, int | None], Side]


class InputError(Exception):
    """An argument that cannot be used; one sentence."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def parse_arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Raises InputError."""
    parser = Parser(prog="bench_peers", description="Time the fast kernels beside torch and transformers.")
    parser.add_argument("--v4-oracle", required=True, metavar="PATH", help="the built v4-oracle executable")
    parser.add_argument("--filter", metavar="TEXT", help="only cases whose name contains this")
    parser.add_argument("--tokens", type=int, nargs="+", metavar="COUNT", help="only these numbers of tokens")
    parser.add_argument("--repeats", type=int, default=REPEATS, metavar="COUNT",
                        help=f"runs of each side, at least {FEWEST_REPEATS} (default: {REPEATS})")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="COUNT",
                        help="threads of each side (default: all cores)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures to this file")
    parser.add_argument("--no-report", action="store_true", help="leave docs/performance.* as they are")
    arguments = parser.parse_args(given)
    if arguments.repeats < FEWEST_REPEATS:
        raise InputError(f"--repeats is {arguments.repeats}, and at least {FEWEST_REPEATS} are needed")
    if not 1 <= arguments.threads <= (os.cpu_count() or 1):
        raise InputError(f"--threads is from 1 to {os.cpu_count()}, not {arguments.threads}")
    if shutil.which(arguments.v4_oracle) is None:
        raise InputError(f"{arguments.v4_oracle} is no executable file")
    if arguments.json and not arguments.json.absolute().parent.is_dir():
        raise InputError(f"the folder of {arguments.json} is not there")
    return arguments


def planned(positions: tuple[int, ...], text: str | None, sizes: list[int] | None) -> list[Task]:
    """What is to be measured. Raises InputError where that is nothing."""
    everything = [task for case in cases(has_tiles()) for task in tasks_of(case, positions)]
    chosen = [task for task in everything if (text or "") in task.case.name and task.size in (sizes or [task.size])]
    if not chosen:
        names = ", ".join(dict.fromkeys(task.case.name for task in everything))
        raise InputError(f"no case fits --filter and --tokens; the cases are {names}")
    return chosen


def measured(run: Run, oracle: Oracle, tasks: list[Task], make_side: MakeSide) -> None:
    """Every task, one after the other, and short ones again; what cannot be measured is said in `run.missing`."""
    rows: dict[str, Row] = {}  # by the task's name
    for visit in range(1, SHORT_VISITS + 1):
        for number, task in enumerate(tasks, 1):
            print(f"[visit {visit}, {number}/{len(tasks)}] {task.name} against {task.case.peer}", end=" … ",
                  file=sys.stderr, flush=True)
            row = visited(run, oracle, task, make_side)
            if row:
                rows[task.name] = rows[task.name].extended(row) if task.name in rows else row
            gc.collect()
            print(f"{row.ratio:.3g}×" if row else "not measured", file=sys.stderr, flush=True)
        tasks = [task for task in tasks if task.name in rows and rows[task.name].is_short]
    run.rows.extend(rows.values())


def visited(run: Run, oracle: Oracle, task: Task, make_side: MakeSide) -> Row | None:
    """A task measured once; where it cannot be, `run.missing` says why."""
    if task.size not in oracle.ready.sizes.get(task.case.request, ()):
        run.missing.append(f"{task.name}: v4-oracle does not offer it")
        return None
    try:
        return measure(task, oracle, lambda: make_side(task.case.name, task.size, task.position), run.repeats)
    except (Refusal, RuntimeError, MemoryError) as error:  # a broken process ends the whole run
        run.missing.append(f"{task.name}: {' '.join(str(error).split())[:200]}")
        return None


def decode_in_turn(run: Run, oracle: Oracle) -> None:
    """The decoded token at all positions that were measured, if there are several."""
    tasks = [row.task for row in decode_rows(run) if row.task.asked]
    if len(tasks) > 1:
        print(f"{tasks[0].case.name} at {len(tasks)} positions in turn", file=sys.stderr, flush=True)
        try:
            run.in_turn = in_turn(tasks, oracle)
        except Refusal as error:
            run.missing.append(f"{tasks[0].case.name} in turn: {error}")


def compare_memory(run: Run, oracle: str) -> None:
    """Peaks of the whole layers that were measured, in fresh processes."""
    for task in (row.task for row in run.rows if row.task.case.memory):
        print(f"memory of {task.name}", file=sys.stderr, flush=True)
        try:
            theirs, libraries, built = their_peak(task.case.name, task.size, run.threads)
            ours = our_peak([oracle], task.case.request, task.size, run.threads)
            run.peaks.append(Peak(task.case.name, task.case.title, task.size, ours, theirs, libraries, built))
        except (PeakError, Refusal) as error:
            run.missing.append(f"memory of {task.name}: {error}")


def library_side(threads: int) -> MakeSide:
    """The other side. Imported late: a bad argument should not wait for torch."""
    try:
        import transformers
        from peers import use_threads
        from peers_attention import make_peer
    except ImportError as error:
        raise InputError(f"torch and transformers are needed: {error}") from None
    transformers.logging.set_verbosity_error()  # it warns of YaRN factors that are not a ratio of two lengths
    use_threads(threads)
    return make_peer


def bench(arguments: argparse.Namespace) -> Run:
    """The whole run."""
    make_side = library_side(arguments.threads)
    with Oracle([arguments.v4_oracle], arguments.threads) as oracle:
        tasks = planned(oracle.ready.positions, arguments.filter, arguments.tokens)
        run = Run(describe(), versions(oracle.ready.version, oracle.ready.instruction_set), arguments.threads,
                  arguments.repeats)
        measured(run, oracle, tasks, make_side)
        decode_in_turn(run, oracle)
    compare_memory(run, arguments.v4_oracle)
    return run


def main(given: list[str] | None = None) -> int:
    start = time.monotonic()
    try:
        arguments = parse_arguments(given)
        whole = arguments.filter is None and arguments.tokens is None
        write_report = whole and not arguments.no_report
        if write_report:
            parts_of(PAGE)  # before a run of many minutes
        run = bench(arguments)
        print(markdown(run))
        if arguments.json:
            write(arguments.json, as_json(run))
        if write_report and not run.missing:
            for path in write_page(run, PAGE):
                print(f"wrote docs/{path.name}", file=sys.stderr)
    except (InputError, OracleError, ReportError) as error:
        print(f"bench_peers: {error}", file=sys.stderr)
        return 2
    print(f"took {(time.monotonic() - start) / 60:.1f} minutes", file=sys.stderr)
    for sentence in run.missing:
        print(f"bench_peers: not measured: {sentence}", file=sys.stderr)
    return 1 if run.missing else 0


if __name__ == "__main__":
    sys.exit(main())
