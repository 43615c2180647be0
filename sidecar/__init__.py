"""A routing service beside Envoy: it decides where each request goes, and why."""

__version__ = "0.1.0"
