"""Lets engines in Python be checked by v4-oracle: golden cases, results, traces, the engine protocol.

Needs numpy and h5py. The hooks for torch modules import torch only when they are used.
"""

from .cases import Case, read_golden, read_handed
from .modules import hook_modules
from .protocol import Engine, Unsupported, serve
from .taps import Tap, find_tap
from .tensors import read_tensors, write_tensors
from .traces import TraceError, TraceWriter
from .transformers_model import hook_transformers

__version__ = "0.1.0"
__all__ = ["Case", "Engine", "Tap", "TraceError", "TraceWriter", "Unsupported", "find_tap", "hook_modules",
           "hook_transformers", "read_golden", "read_handed", "read_tensors", "serve", "write_tensors"]
