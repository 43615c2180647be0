"""Finding the route of a request: matchers say what a route asks for, the index finds it without a scan."""
