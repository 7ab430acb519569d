"""What the study notebooks share: quoted sources, golden cases, the command, comparisons, one look of figures.

Needs numpy, h5py, matplotlib and IPython. Importing it sets the look of figures and turns warnings into errors.
"""

from .cases import case
from .checks import Mismatch, compare, number, published
from .command import oracle, oracle_json
from .style import COLOURS, apply_style
from .swift_source import quote

__all__ = ["COLOURS", "Mismatch", "case", "compare", "number", "oracle", "oracle_json", "published", "quote"]

apply_style()
