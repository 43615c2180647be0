"""Who gets the request: one strategy a file, each named in the registry."""
