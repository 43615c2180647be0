"""Envoy's configuration, written from the user's file."""
