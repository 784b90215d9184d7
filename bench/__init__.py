"""Benchmarks: each figure stands beside the bare limit measured in the same run."""
