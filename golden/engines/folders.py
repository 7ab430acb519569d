"""Makes the package of golden/python and the modules of golden/generators and golden/peers importable."""

import os
import sys
from pathlib import Path

GOLDEN = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(GOLDEN / folder) for folder in ("python", "generators", "peers")]
os.environ.setdefault("HF_HUB_OFFLINE", "1")
