"""The command line. Exit codes: 0 yes, 1 no, 2 wrong usage or configuration."""
