"""Content types of bodies."""

import pytest

from sidecar.core.request import Request, headers_of
from sidecar.core.rules.media import TypeIn
from tests.builders import a_request

TYPES = TypeIn(("image/*", "Audio/MPEG"))


@pytest.mark.parametrize(
    "written", ["image/png", "IMAGE/PNG", "image/svg+xml; charset=utf-8", " audio/mpeg ;x=y", "image/x"]
)
def test_parameters_and_case_say_nothing(written: str) -> None:
    """Q4"""
    assert TYPES.matches(a_request("/", ("content-type", written)))


@pytest.mark.parametrize(
    "written",
    [
        "text/plain",
        "",
        "image",
        "image/",
        "imagex/png",
        "audio/mp3",
        ";image/png",
        "text/plain, image/png",
        "image/png,text/html",
        "image/png, ",
        ",image/png",
        'image/png; q="a,b"',
        b"\xff",
    ],
)
def test_another_type_is_none_of_them(written: str | bytes) -> None:
    """Q4"""
    assert not TYPES.matches(a_request("/", ("content-type", written)))


def test_a_body_without_a_type_has_none_of_them() -> None:
    """Q4"""
    assert not TYPES.matches(a_request("/", ("content-length", "1")))


def test_a_second_type_hides_nothing() -> None:
    """Q4"""
    assert not TYPES.matches(a_request("/", ("content-type", "image/png"), ("content-type", "text/html")))
    assert TYPES.matches(a_request("/", ("content-type", "image/png"), ("content-type", "image/gif")))
    assert TYPES.matches(a_request("/", ("content-type", "image/png; q=1,image/gif , audio/mpeg")))


def test_what_has_no_body_needs_no_type() -> None:
    """Q4"""
    assert TYPES.matches(Request("GET", "shop.test", "/", headers_of([]), ends=True))
    assert TYPES.matches(a_request("/", ("content-length", "0"), ("content-type", "text/plain")))


def test_every_type_may_be_asked_for() -> None:
    """Q4: then one must be there."""
    every = TypeIn(("*/*",))

    assert every.matches(a_request("/", ("content-type", "text/plain")))
    assert not every.matches(a_request("/"))


def test_it_says_what_it_asks_and_saw() -> None:
    """O6"""
    assert TYPES.text() == "content type is image/* or audio/mpeg"
    assert TYPES.seen(a_request("/", ("content-type", "text/plain"))) == '"text/plain"'
    assert TYPES.seen(a_request("/")) == "absent"
    assert TYPES.seen(a_request("/", ("content-length", "0"))) == "no body"
