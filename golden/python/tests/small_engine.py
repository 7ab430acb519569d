"""An engine for the tests: it knows two operations, talks too much, and refuses and fails when told so."""

import os
import sys

import support  # noqa: F401

from v4oracle import Engine, Unsupported, serve


class SmallEngine(Engine):
    name, version, precision = "small", "1", "fp64"
    operations = ["expand", "sinkhorn"]
    format = sys.argv[1] if len(sys.argv) > 1 else "hdf5"

    def run(self, case):
        print("a library prints")
        os.write(1, b"and so does one in C\n")
        if case.operation == "sinkhorn":
            raise Unsupported("no iterations")
        streams = case.parameters["streams"]
        if streams < 1:
            raise ValueError("streams: there are\nnone")
        return {"streams": case.inputs["embedding"][:, None].repeat(streams, axis=1)}


serve(SmallEngine())
