"""Ways to write a path, and the one spelling that rules and endpoints see, whichever way they are asked."""

from random import Random
from typing import Final

SPELLINGS: Final = {
    "/": "/",
    "/admin": "/admin",
    "/admin/": "/admin/",
    # slashes
    "//admin": "/admin",
    "///admin//users/": "/admin/users/",
    "/admin//": "/admin/",
    "//": "//",
    "///": "//",
    "/\\admin": "/admin",
    "/beside\\..\\admin": "/admin",
    # dots
    "/.": "/",
    "/./admin": "/admin",
    "/admin/.": "/admin/",
    "/..": "/",
    "/../../admin": "/admin",
    "/x/../admin": "/admin",
    "/x/%2e%2e/admin": "/admin",
    "/x/.%2E/admin": "/admin",
    "/x/%2e/admin": "/x/admin",
    "/x/..//admin": "/admin",
    "/admin//../users": "/admin/users",
    "/x/y/../..": "/",
    "/...": "/...",
    "/.well-known/..x/y..": "/.well-known/..x/y..",
    # path parameters
    "/admin;x": "/admin;x",
    "/x;y/../admin": "/admin",
    "/x/..;/admin": "/admin",
    "/x/..;a=b/admin": "/admin",
    "/.;/admin": "/admin",
    "/x/...;/admin": "/x/...;/admin",
    "/x/.well-known;/admin": "/x/.well-known;/admin",
    "/x%3by/admin": "/x%3by/admin",
    # escapes
    "/%61dmin": "/admin",
    "/%61%64%6D%69%6E": "/admin",
    "/%41~%7e%2d%5F": "/A~~-_",
    "/%2561dmin": "/%2561dmin",
    "/%25%36%31dmin": "/%2561dmin",
    "/%%36%31dmin": "/%2561dmin",
    "/%%361dmin": "/%2561dmin",
    "/%6%31dmin": "/%2561dmin",
    "/%": "/%",
    "/%zz": "/%zz",
    "/admin%": "/admin%",
    "/%2": "/%2",
    "/admin%3fx": "/admin%3fx",
    "/admin%23": "/admin%23",
    "/admin%20": "/admin%20",
    "/%c3%a9/%C3%A9/%ff": "/%c3%a9/%C3%A9/%ff",
    "/%21%24%28%2A": "/%21%24%28%2A",
    "/a!$&'()*+,:;=@[]b": "/a!$&'()*+,:;=@[]b",
    '/"<>^`{|}': "/%22%3C%3E%5E%60%7B%7C%7D",
    # escaped slashes, to whose plain spelling Envoy redirects
    "/%2fadmin": "/admin",
    "/x%2F..%2Fadmin": "/admin",
    "/x/..%5cadmin": "/admin",
    "/%5C": "//",
    "/x/%2e%2e;%2fadmin": "/admin",
    "/x/%252fadmin": "/x/%252fadmin",
    "/%2f%25%32%66": "/%252f",
    # the query stays
    "/admin?x=//y/../%61%2f": "/admin?x=//y/../%61%2f",
    "//admin?x?y": "/admin?x?y",
    "/%2fadmin?x=%2f": "/admin?x=%2f",
}
CLIMBING: Final = {
    "/x/%2e%2e;/admin": "/x/..;/admin",
    "/x/.%2e;a=b/admin": "/x/..;a=b/admin",
    "/%2E;/admin": "/.;/admin",
    "/x/..%3b/admin": "/x/..%3b/admin",
    "/x/..%3Ba/admin": "/x/..%3Ba/admin",
    "/x/%252e%252E;/admin": "/x/%252e%252E;/admin",
    "/x/%2e%2e%253b/admin": "/x/..%253b/admin",
    "/x%252f..%3b%255cadmin": "/x%252f..%3b%255cadmin",
}
"""Paths in whose normal form `..` or `.` stands before a `;`: some server may still go up by it."""
REFUSED: Final = ["/%00", "/admin%00", "/x/%00/../admin", "/admin#x", "/admin?x#y"]
"""What Envoy answers with 400."""

_PIECES: Final = [
    *["/", "/", "/", "//", "\\", "a", "b", "admin", ".", "..", ";", "..;", ".;", "?", "*", "~"],
    *[
        "%2e",
        "%2E",
        "%2f",
        "%2F",
        "%5c",
        "%61",
        "%41",
        "%30",
        "%31",
        "%7e",
        "%7f",
        "%25",
        "%23",
        "%3b",
        "%252f",
    ],
    *["%", "%%", "%3", "%6", "0", "1", "6", "e", "%zz", "%c3%a9", "|", '"', "<", "`", "^", "{", "[", "'"],
]


def drawn(seed: int, count: int) -> list[str]:
    """Paths from pieces that each mean something to some step of Envoy's."""
    rng = Random(seed)
    return ["/" + "".join(rng.choices(_PIECES, k=rng.randrange(9))) for _ in range(count)]
