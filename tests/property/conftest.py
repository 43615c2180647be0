"""How long properties are searched: the same examples at every run in CI, new ones on a desk."""

import os

from hypothesis import settings

settings.register_profile("desk", max_examples=200, deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("desk"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")
