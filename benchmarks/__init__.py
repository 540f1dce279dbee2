"""Measures ours beside its peers, in one run against one server: ``python -m benchmarks``."""
