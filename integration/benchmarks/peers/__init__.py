"""Compares Headrace with other loaders: `bash integration/benchmarks/run.sh peers`."""
