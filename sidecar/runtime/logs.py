"""structlog, set up once: JSON lines for machines, colours for a terminal; nothing for each request."""

import contextlib
import logging
import sys
from typing import Final, Literal, TextIO

import structlog

Format = Literal["auto", "json", "text"]


def is_json(format: Format) -> bool:
    """`auto` is text on a terminal, JSON elsewhere."""
    return format == "json" or (format == "auto" and not sys.stderr.isatty())


class _Leaky:
    """Where the log can go no more, because nobody reads it or the disk is full, what is said is lost: that
    must not end the work of whoever says it."""

    def __init__(self, file: TextIO) -> None:
        self._file: Final = file

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()


def set_up(format: Format = "auto", level: str = "info") -> None:
    """Logs go to standard error."""
    as_text = not is_json(format)
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if as_text
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if as_text else [structlog.processors.dict_tracebacks]),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=_Leaky(sys.stderr)),  # type: ignore[arg-type] # it is written to alone
        cache_logger_on_first_use=False,
    )
