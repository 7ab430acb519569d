"""The release archive: the same bytes again, and refusals of folders that are not what the manifest says."""

import hashlib
import importlib.util
import io
import json
import shutil
import tarfile
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("release", ROOT / "golden/release.py")
release = importlib.util.module_from_spec(spec)
spec.loader.exec_module(release)


class Release(unittest.TestCase):
    """A golden folder of one case."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.golden = Path(folder.name) / "golden"
        for name in (*release.SINGLE, f"{release.PACKAGE}/taps.py"):
            (self.golden / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "golden" / name, self.golden / name)
        shutil.copy(ROOT / "LICENSE", self.golden.parent)
        self.case = self.golden / "vectors/tiny/a/b.h5"
        self.case.parent.mkdir(parents=True)
        self.case.write_bytes(b"case")
        entry = {"file": "vectors/tiny/a/b.h5", "sha256": hashlib.sha256(b"case").hexdigest()}
        (self.golden / "manifest.json").write_text(json.dumps({"cases": [entry]}))

    def test_the_same_bytes_again(self) -> None:
        first = release.release(self.golden, self.golden.parent / "one")
        self.case.touch()
        self.case.chmod(0o600)
        second = release.release(self.golden, self.golden.parent / "two")
        self.assertEqual(first.read_bytes(), second.read_bytes())
        digest = hashlib.sha256(first.read_bytes()).hexdigest()
        self.assertEqual((first.parent / "SHA256SUMS").read_text(), f"{digest}  {first.name}\n")
        with tarfile.open(fileobj=io.BytesIO(first.read_bytes())) as tar:
            names = tar.getnames()
            top = names[0].split("/")[0]
            sums = tar.extractfile(f"{top}/SHA256SUMS").read().decode()
            self.assertEqual(len(sums.splitlines()), len(names) - 1)
            for line in sums.splitlines():
                wanted, name = line.split("  ")
                self.assertEqual(hashlib.sha256(tar.extractfile(f"{top}/{name}").read()).hexdigest(), wanted)

    def refused(self, text: str) -> None:
        with self.assertRaisesRegex(release.Refused, text):
            release.release(self.golden, self.golden.parent / "out")
        self.assertFalse((self.golden.parent / "out").exists())

    def test_a_case_that_is_another(self) -> None:
        self.case.write_bytes(b"other")
        self.refused("not the file that the manifest describes")

    def test_a_case_that_is_missing(self) -> None:
        self.case.unlink()
        self.refused("not the file that the manifest describes")

    def test_a_file_that_nobody_lists(self) -> None:
        (self.case.parent / "c.h5").write_bytes(b"more")
        self.refused("c.h5 is not in the manifest")

    def test_no_case(self) -> None:
        (self.golden / "manifest.json").write_text('{"cases": []}')
        self.case.unlink()
        self.refused("lists no case")

    def test_a_page_or_the_license_is_missing(self) -> None:
        (self.golden / "FORMAT.md").unlink()
        self.refused("FORMAT.md is missing")
        shutil.copy(ROOT / "golden/FORMAT.md", self.golden)
        (self.golden.parent / "LICENSE").unlink()
        self.refused("the license is missing")
