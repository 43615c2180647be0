"""Texts that a client keeps for us, and that nobody else can make."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import digest
from random import Random

import pytest

from sidecar.core.seal import FORGED, Seal, mark_in

SECRET = b"0123456789abcdef"
OTHER = b"fedcba9876543210"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.="


def sealed(seal: Seal, what: str = "shop/a", ends_at: float = 1000.0) -> str:
    return seal.sealed("route", seal.marks("route", what)[0], ends_at)


def test_what_is_sealed_says_its_mark_and_its_end() -> None:
    """S16"""
    seal = Seal((SECRET,))

    for what in ("shop/a", "shop/b", "é", "\udcff"):
        text = sealed(seal, what)
        assert seal.ends_at("route", text) == 1000.0
        assert [mark_in(text)] == seal.marks("route", what)


@pytest.mark.parametrize(("ends_at", "told"), [(999.001, 1000.0), (1000.0, 1000.0), (-5.0, 0.0)])
def test_an_end_is_kept_to_the_second_and_never_too_soon(ends_at: float, told: float) -> None:
    """S16"""
    assert Seal((SECRET,)).ends_at("route", sealed(Seal((SECRET,)), ends_at=ends_at)) == told


def test_another_process_with_the_same_secret_reads_it() -> None:
    """S16"""
    assert Seal((SECRET,)).ends_at("route", sealed(Seal((SECRET,)))) == 1000.0


def test_the_code_is_the_hmac_of_what_is_told() -> None:
    """S16: RFC 2104 with SHA-256, its first 16 bytes."""
    told, _, code = sealed(Seal((SECRET,)), ends_at=255.0).rpartition(".")

    expected = digest(SECRET, f"seal\x00route\x00{told}".encode(), sha256)[:16]
    assert code == urlsafe_b64encode(expected).decode().rstrip("=")
    assert told.endswith(".ff")


def test_what_is_of_another_scope_or_secret_is_forged() -> None:
    """S16"""
    seal = Seal((SECRET,))

    assert seal.ends_at("other", sealed(seal)) == FORGED
    assert seal.ends_at("route", sealed(Seal((OTHER,)))) == FORGED
    assert seal.marks("route", "shop/a") != seal.marks("other", "shop/a")


def test_no_change_of_a_single_character_is_taken() -> None:
    """S16: each character replaced by every other that a cookie may have. The last one of the code has two
    bits that mean nothing in base64; they are compared all the same."""
    seal = Seal((SECRET,))
    text = sealed(seal)

    for at, kept in enumerate(text):
        for put in ALPHABET:
            if put != kept:
                assert seal.ends_at("route", text[:at] + put + text[at + 1 :]) == FORGED
        assert seal.ends_at("route", text[:at] + text[at + 1 :]) == FORGED


def test_an_end_put_off_by_the_client_is_not_taken() -> None:
    """S16"""
    seal = Seal((SECRET,))
    mark, _, code = sealed(seal).split(".")

    assert seal.ends_at("route", f"{mark}.ffffffff.{code}") == FORGED


@pytest.mark.parametrize(
    "text", ["", ".", "..", "...", "a.b.c", "x" * 10_000, "\udcff.1.a", "é", "shop/a", "\x00", "=" * 64]
)
def test_what_is_malformed_is_forged(text: str) -> None:
    """S16"""
    assert Seal((SECRET,)).ends_at("route", text) == FORGED


@pytest.mark.parametrize("code", ["", "é", "\udcff", "x" * 40])
def test_a_mark_with_a_code_that_is_none_is_forged(code: str) -> None:
    """S16"""
    seal = Seal((SECRET,))

    assert seal.ends_at("route", f"{seal.marks('route', 'shop/a')[0]}.3e8.{code}") == FORGED


def test_a_mark_with_a_code_made_without_the_secret_is_forged() -> None:
    """S16: 2,000 random codes with a fixed seed."""
    seal = Seal((SECRET,))
    mark = mark_in(sealed(seal))
    rng = Random(1)

    for _ in range(2_000):
        code = urlsafe_b64encode(rng.randbytes(16)).decode().rstrip("=")
        assert seal.ends_at("route", f"{mark}.3e8.{code}") == FORGED


def test_a_secret_can_be_changed_while_sealed_texts_are_out() -> None:
    """S16"""
    both = Seal((SECRET, OTHER))

    assert both.ends_at("route", sealed(Seal((OTHER,)))) == 1000.0
    assert Seal((SECRET,)).ends_at("route", sealed(both)) == 1000.0
    assert both.marks("route", "shop/a") == [
        *Seal((SECRET,)).marks("route", "shop/a"),
        *Seal((OTHER,)).marks("route", "shop/a"),
    ]


def test_what_is_sealed_tells_nobody_what_it_stands_for() -> None:
    """S16: nor whether two secrets mean the same."""
    texts = [sealed(Seal((secret,)), "shop/10.1.2.3:8080") for secret in (SECRET, OTHER)]

    assert all("10" not in mark_in(text) for text in texts)
    assert mark_in(texts[0]) != mark_in(texts[1])
    assert all(set(text) <= set(ALPHABET) for text in texts)
    assert all(len(text) <= 64 for text in texts)


@pytest.mark.parametrize("secrets", [(), (b"short",), (SECRET, b"short")])
def test_secrets_are_checked(secrets: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="secrets must"):
        Seal(secrets)
