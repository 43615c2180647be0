"""Words that the rules of gateway.yaml ask for, and such as parsers stumble over."""

from typing import Final

NAMES: Final = (
    ":path", ":method", ":authority", ":scheme", ":status", "cookie", "host", "upgrade", "connection", "te",
    "content-type", "content-length", "content-encoding", "transfer-encoding", "authorization",
    "x-forwarded-for", "x-mark", "x-bomb", "x-a", "x-b", "x-debug", "x-session-id", "x-user-id",
    "x-tenant-id", "x-user-tier", "x-segment", "x-ai-model", "x-priority", "x-region", "cf-ipcountry",
    "x-feature-flag", "x-organization-id", "x-sidecar-cluster", "x-gateway-destination-endpoint", "sub",
    "org.test", "sidecar.body", "ticket", "envoy.lb", "envoy.filters.http.jwt_authn", "data.priority",
    "data.list.0", "a", "a.b", "kind", "model", "user.segment",
)  # fmt: skip
"""Of headers, and keys within bodies and metadata."""

PATHS: Final = (
    "/", "*", "", "/admin/x", "//admin", "/%61dmin/x", "/a/../admin/x", "/a%2fb", "/admin%00", "/private/x",
    "/upload/x", "/old", "/old/x?y=1", "/from/a/b", "/robots.txt", "/legacy/1", "/t/nobody/x", "/search/v1",
    "/search/v12/a/b", "/search/v1/" + "a/" * 200, "/api/eu/items/7?q=1", "/api/x", "/texts?a=1",
    "/texts?a+b=%C3%A9", "/nested", "/size", "/body", "/chat", "/chat?tier=premium&tenant=x", "/time", "/ip",
    "/geo/x", "/flag", "/split", "/share", "/chaos", "/off", "/nowhere", "http://other.test/x", "/é",
    "/\udc80", "/a;b=c/..;/x", "/%", "/%zz", "/a#b", "/?" + "a=b&" * 300, "/api/eu/items/a\x01b",
)  # fmt: skip
"""That the routes of gateway.yaml are about, and ways to write them."""

VALUES: Final = (
    "1", "0", "true", "-1", "GET", "POST", "DELETE", "CONNECT", "websocket", "api.test", "x.shop.test:80",
    "[::1]:80", "application/json", "application/json; charset=utf-8", "text/html", "image/png",
    "application/vnd.a+json", "gzip", "chunked", "pre", "fix", "mid", "é", "c=v", "d=123",
    "sid=s1; c=v; sid=s2", 'c="v"; d="12', ";;=;", "u1", "acme", "premium", "gpt-4", "best", "beta", "high",
    "critical", "DE", "xx", "eu", "beta=true, new_search=false", "10.1.2.3", "1.2.3.4, 10.0.0.1",
    "2001:db8::1", "192.0.2.7", "::ffff:10.0.0.1", "300.1.1.1", "10", "70000", "99999999999999999999",
    "1, 2", "+5", "0x10", "a" * 5000, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
    "a" * 50_000 + "!", "0000000000000001", "00000000000000zz", "a\r\nb: c", "a\x00b", "\x7f", "10.0.0.1:80",
    "upstream_reset", "high",
)  # fmt: skip
"""Of headers, cookies, parameters and fields."""

JSON: Final = (
    "{}", "[]", "null", "true", "1", "-0", "1.0", "1e400", "18446744073709551615", "9" * 400, '""', '"high"',
    '"\\ud800"', '"\\u0000"', '{"a":1}', '{"a":1,"a":2}', '{"a":{"b":"x"}}', '{"a.b":"x"}',
    '{"data":{"priority":"high","list":[1]}}', '{"kind":"small"}', '{"model":"best"}',
    '{"user":{"segment":"beta"}}', "[" * 500 + "]" * 500, "[" * 3000, '{"a":' * 300 + "1" + "}" * 300, "NaN",
    "Infinity", "/*c*/", "'a'", "\\", '"', ",", ":", "{", "}", "[", "]", " ", "\n", '"' + "x" * 9000 + '"',
    "\ufeff{}", '{"a":01}', "1.7976931348623159e308", '"é"', '"\\x"', "9223372036854775808",
)  # fmt: skip
"""Bodies and pieces of bodies."""

YAML: Final = (
    "clusters:", "routes:", "gates:", "context:", "match:", "- ", ": ", "{", "}", "[", "]", "\n", "  ",
    "&a ", "*a", "<<: *a", "path:", "prefix:", "regex:", "'(a+)+$'", "name:", "to:", "split:", "weight:",
    "any:", "all:", "not:", "headers:", "null", "~", "true", "no", "22-6", "1e999", "0x1F", "!!int ", "|",
    ">", "'", '"', "#", "10%", "30s", "10MB", "é", "\x00", "client_ip:", "10.0.0.0/8", "10.0.0.1/8", "::/0",
    "hours:", "body:", "size:", '"> 1KB"', "1" * 120, "\t", "---", "...",
)  # fmt: skip
"""Pieces of configurations."""
