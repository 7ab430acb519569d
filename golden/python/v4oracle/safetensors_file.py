"""Safetensors files: a header of JSON behind its length in eight bytes, then the data, all little-endian."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
         "BOOL": "?"}
NAMES = {np.dtype(kind): name for name, kind in KINDS.items()}


def widened(kind: str, data: bytes) -> np.ndarray:
    """The elements of one tensor in a row; float16 and bfloat16 as float32."""
    if kind == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    if kind not in KINDS:
        raise ValueError(f"safetensors: there is no reading {kind}")
    array = np.frombuffer(data, KINDS[kind])
    return array.astype(np.float32) if kind == "F16" else array.copy()


def read_safetensors(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """-> the tensors by name, and the metadata. Raises ValueError where the file is none or is cut off."""
    data = Path(path).read_bytes()
    if len(data) < 8 or (length := struct.unpack("<Q", data[:8])[0]) > len(data) - 8:
        raise ValueError(f"{path}: not a safetensors file, or cut off")
    try:
        header = json.loads(data[8 : 8 + length])
        metadata, body, tensors = header.pop("__metadata__", {}), data[8 + length :], {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            if not 0 <= begin <= end <= len(body):
                raise ValueError(f"{name} lies outside the file")
            tensors[name] = widened(entry["dtype"], body[begin:end]).reshape(entry["shape"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    return tensors, metadata


def safetensors_bytes(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """The file that holds these tensors."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    body = bytearray()
    for name, array in tensors.items():
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
        if array.dtype not in NAMES:
            raise ValueError(f"{name}: there is no writing {array.dtype}")
        header[name] = {"dtype": NAMES[array.dtype], "shape": array.shape,
                        "data_offsets": [len(body), len(body) + array.nbytes]}
        body += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(body)
