"""Finding a text by the longest beginning that it shares with another."""

from sidecar.core.state.prefixes import prefix_keys


def test_a_text_has_a_key_for_each_doubling_of_its_beginning_the_longest_first() -> None:
    """S9"""
    assert [len(prefix_keys(1, "x" * length)) for length in (0, 255, 256, 511, 512, 4096)] == [
        0,
        0,
        1,
        1,
        2,
        5,
    ]
    assert prefix_keys(1, "x" * 5000)[-1] == prefix_keys(1, "x" * 256)[0]


def test_texts_share_the_keys_of_what_they_have_in_common() -> None:
    """S9"""
    one, other = prefix_keys(1, "s" * 1100 + "a" * 4000), prefix_keys(1, "s" * 1100 + "b" * 4000)

    assert one[-3:] == other[-3:]
    assert set(one[:-3]).isdisjoint(other[:-3])


def test_pieces_that_are_alike_and_pieces_that_change_places_have_other_keys() -> None:
    """S9: 256 characters of one kind and then of another, in all orders of two."""
    texts = [one * 256 + other * 256 for one in "xyz" for other in "xyz"]

    assert len({prefix_keys(1, text)[0] for text in texts}) == 9


def test_pools_do_not_share_their_keys() -> None:
    assert set(prefix_keys(1, "x" * 4096)).isdisjoint(prefix_keys(2, "x" * 4096))


def test_a_text_of_any_length_has_few_keys() -> None:
    assert len(prefix_keys(1, "x" * 10_000_000)) == 9
