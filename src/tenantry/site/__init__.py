"""The product's own pages, and who the caller is: landing, pricing, dashboard, settings, reference."""

from .layout import layout_of

__all__ = ["layout_of"]
