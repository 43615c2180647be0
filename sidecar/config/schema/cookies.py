"""The cookies that the sidecar writes for clients."""

from pydantic import Field

from sidecar.config.schema.base import Section


class Cookies(Section):
    """What the cookies of `sticky` are signed with."""

    secrets: list[str] = Field(
        [], description="files with a secret each: the first signs, all are read; else one of the process"
    )
