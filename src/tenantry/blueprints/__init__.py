"""Ready product declarations, and reading a declaration from a file."""

from .loading import NAMES, ProductNotLoaded, load, load_product
from .seeds import DemoPerson, People, Seeded, seed

__all__ = ["NAMES", "DemoPerson", "People", "ProductNotLoaded", "Seeded", "load", "load_product", "seed"]
