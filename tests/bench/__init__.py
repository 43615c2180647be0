"""Benchmarks: what a decision costs alone, and what it costs through a real Envoy."""
