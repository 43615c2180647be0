"""`python -m sidecar` and the command `sidecar`."""

from sidecar.cli.commands import main

if __name__ == "__main__":
    main()
