"""The product of `bench.doors` with 10 routes of its author's, as `tenantry run` wants it: a file."""

from bench.doors import product as _product

product = _product(10)
