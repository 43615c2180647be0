"""All that has a clock, a socket, a file or a log."""

import os

# gRPC's own log speaks of every connection that a peer ends; set it louder from outside when needed.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
