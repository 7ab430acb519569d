"""Both sides in turn: one run of each to warm up, then theirs, ours, theirs, ours, so that noise hits both alike.

Where a side is quick, both run several times in each turn, and the last run counts: the pause between the sides puts
threads and processors to sleep, and waking them takes as long as a small kernel. The machine's limits are measured right after each
of our turns, since a virtual machine's share of memory and of its cores changes by the second. For the same reason the
positions of a decoded token, whose times should be a line, are run in turn, too, and short rows are visited several times,
minutes apart.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from protocol import Answer, Oracle, OracleError
from targets import DECODE_POSITION, Case, Target

REPEATS, FEWEST_REPEATS = 7, 3
SLOW_SECONDS = 8.0  # of a run, from which the fewest repeats have to do
SHORT_SECONDS, SHORT_VISITS = 0.5, 3  # below which a row is measured so often
QUICK_SECONDS = 0.1  # below which a pause counts
TURN_SECONDS, MOST_RUNS_OF_A_TURN = 0.05, 20  # how long quick runs of a turn last together, and how many they are
ROUNDS = 15  # of a token at several positions
PAUSE_SECONDS = 0.02  # between the sides, so that no thread of the one still spins while the other is timed


class Side(Protocol):
    """What is timed beside our process."""

    def warm_up(self) -> float: ...

    def seconds(self) -> float: ...


@dataclass(frozen=True)
class Task:
    """A case at one size. `position` is that of a decoded token; `asked` whether our process is told of it."""

    case: Case
    size: int
    position: int | None = None
    asked: bool = False

    @property
    def target(self) -> Target:
        return self.case.targets[self.size]

    @property
    def name(self) -> str:
        place = f", position {self.position}" if self.position is not None else ""
        return f"{self.case.name} at {self.size}{place}"


@dataclass
class Row:
    """What was measured for one task; times in seconds."""

    task: Task
    ours: list[float]
    theirs: list[float]
    flops: float
    bytes: float
    bound: str
    limits: list[dict[str, float]]  # of the machine right after each of our times

    @property
    def our_median(self) -> float:
        return statistics.median(self.ours)

    @property
    def their_median(self) -> float:
        return statistics.median(self.theirs)

    @property
    def is_short(self) -> bool:
        """Whether further visits cost little."""
        return max(self.our_median, self.their_median) < SHORT_SECONDS

    def extended(self, more: Row) -> Row:
        """With the times of another visit. Raises OracleError where that counted other work."""
        if (more.flops, more.bytes, more.bound) != (self.flops, self.bytes, self.bound):
            raise OracleError(f"v4-oracle counts the work of {self.task.name} differently from one visit to the next")
        return replace(self, ours=self.ours + more.ours, theirs=self.theirs + more.theirs,
                       limits=self.limits + more.limits)

    @property
    def ratio(self) -> float:
        """How many times as fast as the other side."""
        return self.their_median / self.our_median

    def share(self, threads: int) -> float:
        """Of the machine's limit that the target names, else of the one that bounds the kernel: the runs' median."""
        count = "One" if threads == 1 else "All"
        work, limit = ((self.flops, "fma") if (self.task.target.limit or self.bound) == "compute"
                       else (self.bytes, "copyBytes"))
        return statistics.median(work / seconds / limits[f"{limit}PerSecond{count}"]
                                 for seconds, limits in zip(self.ours, self.limits, strict=True))

    def limit(self, name: str) -> float:
        """The median of a limit of the machine."""
        return statistics.median(limits[name] for limits in self.limits)

    def met(self, threads: int) -> bool | None:
        """Whether both targets are met; nothing where nothing is asked."""
        target = self.task.target
        if target.speed is None:
            return None
        held = target.limit is None or self.share(threads) >= target.share
        return self.ratio >= target.speed and held


def tasks_of(case: Case, positions: tuple[int, ...]) -> list[Task]:
    """Every size of a case; decoding at every position that our process offers, else at the one of the target."""
    if case.name != "csa-decode":
        return [Task(case, size) for size in case.targets]
    if positions and DECODE_POSITION not in positions:
        raise OracleError(f"v4-oracle offers csa-decode, but not at position {DECODE_POSITION}")
    return [Task(case, 1, position, bool(positions)) for position in positions or (DECODE_POSITION,)]


def runs_of_a_turn(side: float, quickest: float) -> int:
    """Of a side that takes so long, where the quicker one of both is no quick kernel: one. Else two or more."""
    if quickest >= QUICK_SECONDS:
        return 1
    return max(2, min(MOST_RUNS_OF_A_TURN, int(TURN_SECONDS / side)))


def repeats_for(slowest: float, repeats: int) -> int:
    """Few of slow runs."""
    return min(repeats, FEWEST_REPEATS) if slowest > SLOW_SECONDS else repeats


def measure(task: Task, oracle: Oracle, make_side: Callable[[], Side], repeats: int) -> Row:
    """One visit of one row. What the sides raise passes through."""
    def ask(runs: int) -> Answer:
        return oracle.measure(task.case.request, task.size, runs, task.position if task.asked else None)

    side = make_side()
    theirs_first, ours_first = side.warm_up(), ask(1)
    first = (theirs_first, ours_first.seconds[0])
    their_runs, our_runs = (runs_of_a_turn(seconds, min(first)) for seconds in first)
    ours, theirs, limits = [], [], []
    for _ in range(repeats_for(max(first), repeats)):
        time.sleep(PAUSE_SECONDS)
        theirs.append([side.seconds() for _ in range(their_runs)][-1])
        time.sleep(PAUSE_SECONDS)
        answer = ask(our_runs)
        if (answer.flops, answer.bytes, answer.bound) != (ours_first.flops, ours_first.bytes, ours_first.bound):
            raise OracleError(f"v4-oracle counts the work of {task.name} differently from one run to the next")
        ours.append(answer.seconds[-1])
        limits.append(oracle.limits())
    return Row(task, ours, theirs, ours_first.flops, ours_first.bytes, ours_first.bound, limits)


def in_turn(tasks: list[Task], oracle: Oracle, rounds: int = ROUNDS) -> dict[int, list[float]]:
    """Our times of a token at each position, one position after the other, round by round."""
    def seconds(task: Task) -> float:
        return oracle.measure(task.case.request, task.size, 1, task.position).seconds[0]

    for task in tasks:
        seconds(task)  # makes what it needs
    times: dict[int, list[float]] = {task.position or 0: [] for task in tasks}
    for _ in range(rounds):
        for task in tasks:
            times[task.position or 0].append(seconds(task))
    return times
