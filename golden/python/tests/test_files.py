"""Reading cases, reading and writing tensors."""

import json
import shutil
import struct

import h5py
import numpy as np
from support import GOLDEN, InFolder, needs

from v4oracle import read_golden, read_handed, read_tensors, write_tensors
from v4oracle.cases import loader
from v4oracle.safetensors_file import read_safetensors, safetensors_bytes

SITE = "tiny/hyper-connections/site"


def raw_safetensors(entries: dict, body: bytes) -> bytes:
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + body


class GoldenCases(InFolder):
    def test_a_case_has_all_of_its_parts(self):
        case = read_golden(SITE, GOLDEN)
        self.assertEqual(case.operation, "site")
        self.assertIsInstance(case.parameters["iterations"], int)
        self.assertEqual(case.inputs["streams"].dtype, np.float32)
        self.assertEqual(set(case.expected), set(case.entry["tensors"]))
        errors = loader(GOLDEN).judge_case(case.entry, case.expected, case.expected)
        self.assertEqual(max(errors.values()), 0)

    def test_another_file_than_the_manifest_says_is_refused(self):
        entry = read_golden(SITE, GOLDEN).entry
        shutil.copy(GOLDEN / "read_case.py", self.folder)
        (self.folder / "manifest.json").write_text(json.dumps({"cases": [entry]}))
        copy = self.folder / entry["file"]
        copy.parent.mkdir(parents=True)
        data = bytearray((GOLDEN / entry["file"]).read_bytes())
        copy.write_bytes(data)
        self.assertEqual(read_golden(SITE, self.folder).id, SITE)
        data[-1] ^= 1
        copy.write_bytes(data)
        with self.assertRaisesRegex(ValueError, "not the file"):
            read_golden(SITE, self.folder)

    def test_an_unknown_case_and_another_folder_are_refused(self):
        with self.assertRaises(KeyError):
            read_golden("tiny/none", GOLDEN)
        with self.assertRaises(FileNotFoundError):
            read_golden(SITE, self.folder)


class HandedCases(InFolder):
    def test_both_formats_give_the_same_case(self):
        golden = read_golden(SITE, GOLDEN)
        arrays = {f"inputs/{name}": array for name, array in golden.inputs.items()}
        arrays |= {f"weights/{name}": array for name, array in golden.weights.items()}
        metadata = {"format_version": "1", "case": SITE, "operation": "site"}
        metadata |= {f"parameters/{name}": json.dumps(value) for name, value in golden.parameters.items()}
        (self.folder / "7.safetensors").write_bytes(safetensors_bytes(arrays, metadata))
        for path in (self.folder / "7.safetensors", GOLDEN / golden.entry["file"]):
            case = read_handed(path)
            self.assertEqual((case.id, case.operation, case.parameters), (SITE, "site", golden.parameters))
            self.assertEqual((set(case.inputs), set(case.weights)), (set(golden.inputs), set(golden.weights)))
            self.assertTrue(all(np.array_equal(case.weights[name], array) for name, array in golden.weights.items()))
            self.assertEqual(case.expected, {})

    def test_what_is_no_case_is_refused(self):
        (self.folder / "noise.h5").write_bytes(b"noise")
        with h5py.File(self.folder / "future.h5", "w") as file:
            file.create_group("parameters")
            file.attrs["operation"], file.attrs["format_version"] = np.bytes_("site"), 2
        with h5py.File(self.folder / "empty.h5", "w") as file:
            file.attrs["format_version"] = 1
        (self.folder / "noise.safetensors").write_bytes(b"noise")
        for name in ("noise.h5", "future.h5", "empty.h5", "noise.safetensors", "absent.h5"):
            with self.subTest(name), self.assertRaises((OSError, ValueError)):
                read_handed(self.folder / name)


class Tensors(InFolder):
    arrays = {"real": np.array([[1.5, -2], [np.nan, np.inf]]), "single": np.arange(3, dtype=np.float32),
              "ids": np.array([-1, 7]), "one": np.float64(2), "none": np.zeros((0, 3))}

    def test_what_is_written_is_read_again(self):
        for name in ("result.h5", "result.safetensors"):
            write_tensors(self.folder / name, self.arrays)
            read = read_tensors(self.folder / name)
            self.assertEqual(set(read), set(self.arrays))
            for key, array in self.arrays.items():
                self.assertTrue(np.array_equal(read[key], array, equal_nan=True), key)
                self.assertEqual(read[key].dtype, array.dtype)

    def test_text_has_a_fixed_length(self):
        write_tensors(self.folder / "result.h5", {}, {"producer": "test", "empty": ""})
        with h5py.File(self.folder / "result.h5") as file:
            for name in ("producer", "empty"):
                self.assertFalse(file.attrs.get_id(name).get_type().is_variable_str())

    def test_a_failure_leaves_what_was_there(self):
        path = self.folder / "result.h5"
        write_tensors(path, {"x": np.ones(2)})
        with self.assertRaises(TypeError):
            write_tensors(path, {"x": np.array(["text"])})
        with self.assertRaises((TypeError, ValueError)):
            write_tensors(path, {"a": np.ones(1), "a/b": np.ones(1)})
        self.assertEqual(self.names(), ["result.h5"])
        self.assertTrue(np.array_equal(read_tensors(path)["x"], np.ones(2)))

    def test_halves_are_widened(self):
        body = struct.pack("<2H", 0x3FC0, 0xC000) + np.array([0.5, -1], "<f2").tobytes()
        path = self.folder / "halves.safetensors"
        path.write_bytes(raw_safetensors({"b": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
                                          "h": {"dtype": "F16", "shape": [2], "data_offsets": [4, 8]}}, body))
        tensors = read_tensors(path)
        self.assertEqual(tensors["b"].tolist(), [1.5, -2])
        self.assertEqual(tensors["h"].tolist(), [0.5, -1])
        self.assertTrue(all(array.dtype == np.float32 for array in tensors.values()))

    def test_damaged_safetensors_are_refused(self):
        path = self.folder / "damaged.safetensors"
        entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
        for data in (b"", b"\xff" * 16, raw_safetensors({"x": entry}, b"1234"), raw_safetensors([], b""),
                     raw_safetensors({"x": {**entry, "dtype": "F8"}}, bytes(8)),
                     raw_safetensors({"x": {**entry, "shape": [3]}}, bytes(8)), raw_safetensors({"x": {}}, b"")):
            path.write_bytes(data)
            with self.subTest(data), self.assertRaises(ValueError):
                read_safetensors(path)


@needs("safetensors")
class OtherReader(InFolder):
    def test_the_library_reads_what_is_written(self):
        from safetensors.numpy import load_file

        write_tensors(self.folder / "x.safetensors", Tensors.arrays, {"producer": "test"})
        read = load_file(self.folder / "x.safetensors")
        for name, array in Tensors.arrays.items():
            self.assertTrue(np.array_equal(read[name], array, equal_nan=True), name)
