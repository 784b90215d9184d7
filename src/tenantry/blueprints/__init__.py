"""Ready product declarations, and reading a declaration from a file."""

from .loading import NAMES, ProductNotLoaded, load, load_product

__all__ = ["NAMES", "ProductNotLoaded", "load", "load_product"]
