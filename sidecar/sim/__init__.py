"""Requests, sidecars and endpoints in virtual time, to see what a strategy does before it meets traffic."""
