"""Makes the modules of golden/generators importable, after those here."""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "generators"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
