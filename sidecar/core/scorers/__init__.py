"""What speaks for an endpoint: one scorer a file, from 0 to 1, each named in the registry."""
