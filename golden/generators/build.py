"""Builds the golden cases: runs the oracles, checks that they agree, writes the HDF5 files and manifest.json.

    python golden/generators/build.py                          build everything
    python golden/generators/build.py --only 'tiny/*/site*'    build some to see whether they can be; store nothing
    python golden/generators/build.py --check                  build everything again and compare with what is stored
    python golden/generators/build.py --kills FILE             put a kill matrix into the manifest; build nothing

`--check` needs A's packages (torch, transformers) only to check A; the rest of the small set is enough without them.
"""

import argparse
import importlib
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import manifest as manifests
from agreement import Expected, Fault, Oracle, measure, smallest_margin
from case import Case
from case_file import difference, write_case
from cases import all_cases

GOLDEN = Path(__file__).resolve().parent.parent


@dataclass
class Built:
    """A case with its evidence and its new file."""

    case: Case
    expected: dict[str, Expected]
    margin: float | str | None
    path: Path

    def worst_agreement(self) -> float:
        return max((x for tensor in self.expected.values() for x in tensor.agreements.values()), default=0.0)

    def worst_spread(self) -> float:
        """The largest float32 spread as a share of scale."""
        spreads = [x / t.scale for t in self.expected.values() for x in t.spreads.values()]
        return max(spreads, default=0.0)


def load_oracle_a() -> Oracle | None:
    """Oracle A; None, and a line that says so, where its packages are not installed."""
    try:
        modules = ("oracle_transformers", "attention_transformers", "model_transformers")
        return Oracle(*(importlib.import_module(name) for name in modules))
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "transformers"):
            raise
        print(f"oracle A is left out: {error.name} is not installed; B and C remain")
        return None


def build_cases(cases: list[Case], folder: Path, oracle_a: Oracle | None) -> list[Built]:
    """Measure and write every case under `folder`, one progress line each."""
    built = []
    for number, case in enumerate(cases, start=1):
        expected = measure(case, oracle_a)
        margin = smallest_margin(case, expected)
        path = folder / manifests.relative_path(case)
        write_case(path, case, expected)
        result = Built(case, expected, margin, path)
        built.append(result)
        numbers = f"agreement {result.worst_agreement():.1e}  spread {result.worst_spread():.1e}"
        print(f"[{number:3}/{len(cases)}] {case.id:62} {numbers if expected else 'to be refused':38}"
              f" {path.stat().st_size:>8} bytes", flush=True)  # fmt: skip
    return built


def print_table(built: list[Built]) -> None:
    """Cases, worst agreement, worst spread and bytes of every component, then of all."""
    print(f"\n{'component':28} {'cases':>6} {'refused':>8} {'agreement':>10} {'spread':>8} {'bytes':>9}")
    counts = Counter(b.case.component for b in built)
    for component in [*sorted(counts), "all"]:
        group = [b for b in built if component in (b.case.component, "all")]
        refused = sum(b.case.expected_error is not None for b in group)
        agreement, spread = max(b.worst_agreement() for b in group), max(b.worst_spread() for b in group)
        size = sum(b.path.stat().st_size for b in group)
        print(f"{component:28} {len(group):6} {refused:8} {agreement:10.1e} {spread:8.1e} {size:9}")


def install(built: list[Built], out: Path) -> None:
    """Move the new files to their places, remove files of cases that are no more, write the manifest."""
    kills = manifests.kept_kills(manifests.load(out / "manifest.json"))
    oracles = manifests.generators()
    entries = []
    for b in built:
        entry = manifests.case_entry(b.case, b.expected, b.path, b.margin, oracles, {})
        entry["kills"] = kills.get((entry["id"], entry["sha256"]), {})
        entries.append(entry)
        target = out / entry["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        b.path.replace(target)
        b.path = target
    wanted = {b.path for b in built}
    for path in sorted((out / "vectors").rglob("*.h5")):
        if path not in wanted:
            print(f"removed {path.relative_to(out)}: no such case any more")
            path.unlink()
    manifests.store(out / "manifest.json", manifests.manifest(entries, oracles))


def build_all(cases: list[Case], out: Path) -> None:
    """Build everything beside the stored files, and replace those only once all is well."""
    if (oracle_a := load_oracle_a()) is None:
        raise Fault("oracle A needs torch and transformers; install generators/requirements.txt")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".partial-") as folder:
        built = build_cases(cases, Path(folder), oracle_a)
        install(built, out)
    print_table(built)


def listing_faults(cases: list[Case], stored: manifests.Json) -> list[str]:
    """Where the manifest lists other cases, or says something else of them than the case list does."""
    entries = {entry["id"]: entry for entry in stored["cases"]}
    only_in_one = entries.keys() ^ {case.id for case in cases}
    faults = [f"{name}: in the manifest or in the case list only" for name in only_in_one]
    for case in cases:
        entry = entries.get(case.id, {"equations": list(case.equations), "note": case.note})
        if (entry["equations"], entry["note"]) != (list(case.equations), case.note):
            faults.append(f"{case.id}: equations or note are others in the manifest")
    return sorted(faults)


def check_all(cases: list[Case], out: Path) -> int:
    """Build again in a temporary folder and compare with the stored files. -> the number of differences"""
    oracle_a = load_oracle_a()
    stored = manifests.load(out / "manifest.json")
    if stored is None:
        raise Fault(f"there is no manifest.json in {out}")
    faults = listing_faults(cases, stored)
    identical = different = 0
    with tempfile.TemporaryDirectory() as folder:
        built = build_cases(cases, Path(folder), oracle_a)
        for b in built:
            path = out / manifests.relative_path(b.case)
            if path.exists() and path.read_bytes() == b.path.read_bytes():
                identical += 1
            elif found := difference(path, b.path) if path.exists() else "not stored":
                different += 1
                faults.append(f"{b.case.id}: {found}")
        print_table(built)
    equal = len(cases) - identical - different
    print(f"\n{identical} of {len(cases)} files are identical, {equal} equal in value, {different} differ")
    for fault in faults:
        print(f"differs: {fault}")
    return len(faults)


def put_kills(file: Path, out: Path) -> None:
    """Merge a kill matrix into the stored manifest."""
    content = manifests.load(out / "manifest.json")
    if content is None:
        raise Fault(f"there is no manifest.json in {out}; build first")
    kills = json.loads(file.read_text())["kills"]
    manifests.merge_kills(content, kills)
    manifests.store(out / "manifest.json", content)
    print(f"kills of {sum(map(bool, kills.values()))} cases are in the manifest")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="golden folder to write or to check (default: the one of this script)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--only", metavar="GLOB", help="build the cases with a matching id; no manifest is written")
    mode.add_argument("--check", action="store_true", help="compare a fresh build with what is stored")
    mode.add_argument("--kills", type=Path, metavar="FILE", help="merge a kill matrix into the manifest")
    options = parser.parse_args()
    out = options.out or GOLDEN
    try:
        if options.kills:
            put_kills(options.kills, out)
        elif options.check:
            return min(1, check_all(list(all_cases()), out))
        elif options.only:
            chosen = [case for case in all_cases() if fnmatch(case.id, options.only)]
            if not chosen:
                raise Fault(f"no case has an id like {options.only}")
            with tempfile.TemporaryDirectory() as folder:
                print_table(build_cases(chosen, options.out or Path(folder), load_oracle_a()))
        else:
            build_all(list(all_cases()), out)
    except (Fault, ValueError) as fault:
        print(f"stopped: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
