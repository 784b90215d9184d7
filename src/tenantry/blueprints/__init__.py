"""Ready product declarations, and reading a declaration from a file."""

from .loading import NAMES, ProductNotLoaded, load, load_product
from .seeds import DemoPerson, Seeded, seed

__all__ = ["NAMES", "DemoPerson", "ProductNotLoaded", "Seeded", "load", "load_product", "seed"]
