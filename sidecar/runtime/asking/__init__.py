"""What the sidecar asks endpoints by itself, beside the requests: whether they are well (probes), and how
busy they are (scrapes).

Everything here runs in the event loop that decides requests, so nothing in it takes long, and at most so many
questions are under way at once.
"""
