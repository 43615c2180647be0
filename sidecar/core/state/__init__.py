"""What the sidecar remembers; it outlives every plan and is keyed by name."""
