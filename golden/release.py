"""Packs the golden folder for a release: a tar.gz that is the same in every run, and its checksum.

    python golden/release.py --out FOLDER [--golden GOLDEN]

Writes FOLDER/deepseek-v4-golden-VERSION.tar.gz and FOLDER/SHA256SUMS. The archive holds the cases with manifest,
budgets, schemas, format, the readers in Python, the license, and a SHA256SUMS of its own files; not what makes the
cases. VERSION is that of golden/python/pyproject.toml. Refuses a case that is not the file of the manifest, and files
that nobody lists.
"""

import argparse
import gzip
import hashlib
import io
import json
import sys
import tarfile
import tomllib
from pathlib import Path

GOLDEN = Path(__file__).resolve().parent
SINGLE = (
    "README.md",
    "FORMAT.md",
    "manifest.json",
    "manifest.schema.json",
    "budgets.json",
    "budgets.schema.json",
    "read_case.py",
    "python/README.md",
    "python/pyproject.toml",
)
PACKAGE = "python/v4oracle"


class Refused(Exception):
    """The folder cannot be released; one sentence."""


def contents(golden: Path) -> dict[str, bytes]:
    """Every file of the archive by its name in it. Raises `Refused` where the folder is not what the manifest says."""
    names = [*SINGLE, *(path.relative_to(golden).as_posix() for path in (golden / PACKAGE).glob("[a-z_]*.*"))]
    files = {}
    for name in names:
        if not (golden / name).is_file():
            raise Refused(f"{name} is missing")
        files[name] = (golden / name).read_bytes()
    cases = json.loads(files["manifest.json"])["cases"]
    if not cases:
        raise Refused("the manifest lists no case")
    for case in cases:
        data = (golden / case["file"]).read_bytes() if (golden / case["file"]).is_file() else b""
        if hashlib.sha256(data).hexdigest() != case["sha256"]:
            raise Refused(f"{case['file']} is not the file that the manifest describes")
        files[case["file"]] = data
    for path in (golden / "vectors").rglob("*"):
        if path.is_file() and path.relative_to(golden).as_posix() not in files:
            raise Refused(f"{path.relative_to(golden)} is not in the manifest")
    if not (golden.parent / "LICENSE").is_file():
        raise Refused("the license is missing")
    files["LICENSE"] = (golden.parent / "LICENSE").read_bytes()
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    return files | {"SHA256SUMS": sums.encode()}


def archive(files: dict[str, bytes], folder: str) -> bytes:
    """A tar.gz of the files: sorted, with no times, owners or modes of any machine."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as compressed:
        with tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in sorted(files.items()):
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size, entry.mode, entry.mtime = len(data), 0o644, 0
                tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def release(golden: Path, out: Path) -> Path:
    """Writes archive and checksum, each under a temporary name first; where the archive is."""
    version = tomllib.loads((golden / "python/pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    folder = f"deepseek-v4-golden-{version}"
    data = archive(contents(golden), folder)
    out.mkdir(parents=True, exist_ok=True)
    name = f"{folder}.tar.gz"
    for path, text in (
        (out / name, data),
        (out / "SHA256SUMS", f"{hashlib.sha256(data).hexdigest()}  {name}\n".encode()),
    ):
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_bytes(text)
        temporary.rename(path)
    return out / name


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="another golden folder")
    options = parser.parse_args()
    try:
        path = release(options.golden.resolve(), options.out)
    except (Refused, OSError, KeyError, ValueError) as error:
        print(f"release.py: {error}", file=sys.stderr)
        return 2
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB; {(options.out / 'SHA256SUMS').read_text().split()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
