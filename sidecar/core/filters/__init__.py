"""Conditions of a request on the endpoints that may get it."""
