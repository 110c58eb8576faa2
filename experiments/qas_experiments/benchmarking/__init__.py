"""Benchmarks: suites of cells, their records, whether these are true."""
