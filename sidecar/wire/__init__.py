"""Between protobuf bytes and the core, without I/O: what has a branch lies here, where a test calls it."""
