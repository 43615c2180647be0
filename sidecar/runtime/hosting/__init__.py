"""The second transport: the process becomes an Envoy that holds this Python and serves by Envoy's HTTP/2.

`launch` is the side of the command: it checks, and replaces the process. `bootstrap` is the configuration of
that Envoy. `host` is the side inside: what the services can ask of the Envoy around them, and its signals.
`site` is found by the interpreter inside before anything else is imported.
"""
