"""An upstream that honours override fields serves what was paid for: what it may not obey is refused."""

from pathlib import Path

import pytest

from tests.e2e.dodges.routers import Router, in_front

FIELDS = {
    "none": (),
    "method": (("X-HTTP-Method-Override", "POST"),),
    "the same method": (("X-HTTP-Method-Override", "GET"),),
    "another field for methods": (("X-Method-Override", "GET"),),
    "with an underscore": (("X_HTTP_Method_Override", "GET"),),
    "no method": (("X-HTTP-Method-Override", ""),),
    "not in capitals": (("X-HTTP-Method-Override", "get"),),
    "two methods": (("X-HTTP-Method-Override", "GET, POST"),),
    "not a method": (("X-HTTP-Method-Override", "FETCH"),),
    "a method that is not forwarded": (("X-HTTP-Method-Override", "CONNECT"),),
    "twice": (("X-HTTP-Method-Override", "GET"), ("X-HTTP-Method-Override", "POST")),
    "twice with an underscore": (("X-HTTP-Method-Override", "POST"), ("X_HTTP_METHOD_OVERRIDE", "GET")),
    "two fields for methods": (("X-HTTP-Method-Override", "GET"), ("X-Method-Override", "POST")),
    "path": (("X-Original-URL", "/echo/x?y"),),
    "another field for paths": (("X-Rewrite-URL", "/message/whatsapp"),),
    "two fields for paths": (("X-Original-URL", "/contact"), ("X-Rewrite-URL", "/message/whatsapp")),
    "no path": (("X-Original-URL", ""),),
    "a URL": (("X-Original-URL", "http://h/echo"),),
    "a path without its slash": (("X-Original-URL", "echo"),),
    "one of ours": (("X-Original-URL", "/Billing/plan"),),
    "path and method": (("X-Original-URL", "/contact"), ("X-HTTP-Method-Override", "GET")),
}
OBEYED = {
    ("GET", "none"): 6,
    ("POST", "none"): 7,
    ("GET", "the same method"): 6,
    ("POST", "the same method"): 6,
    ("POST", "method"): 7,
    ("GET", "another field for methods"): 6,
    ("POST", "another field for methods"): 6,
    ("GET", "path"): 15,
    ("POST", "path"): 15,
    ("GET", "another field for paths"): 11,
    ("POST", "another field for paths"): 11,
    ("GET", "path and method"): 6,
    ("POST", "path and method"): 6,
}
"""What is paid for ``/contact`` with these fields; whatever is not here is refused."""


@pytest.mark.parametrize("said", FIELDS)
async def test_what_an_upstream_makes_of_override_fields_is_what_was_paid(tmp_path: Path, said: str) -> None:
    honours = "[X-HTTP-Method-Override, X-Method-Override, X-Original-URL, X-Rewrite-URL]"
    async with in_front(tmp_path, f"honours: {honours}") as behind:
        for method in ("GET", "POST"):
            answer, head, debited = await behind.send(b"/contact", FIELDS[said], method)
            assert debited == OBEYED.get((method, said), 0)
            assert bool(head) == bool(debited)
            if head:
                assert debited == Router("strict").price(*obeyed(head, {b"POST"}))
                assert debited == Router("strict").price(*obeyed(head, {b"POST", b"GET"}))
            else:
                assert answer.status in {400, 404}


def obeyed(head: bytes, changeable: set[bytes]) -> tuple[bytes, bytes]:
    """Method and target as an upstream takes them that knows GET and POST, and lets ``changeable`` ones be replaced."""
    line, *lines = head.split(b"\r\n")
    method, target, _ = line.split(b" ")
    fields: dict[bytes, bytes] = {}
    for field in lines:
        name, _, value = field.partition(b":")
        fields.setdefault(name.lower(), value.strip())
    wanted = fields.get(b"x-http-method-override") or fields.get(b"x-method-override", b"")
    if wanted.upper() in {b"GET", b"POST"} and method in changeable:
        method = wanted.upper()
    return method, fields.get(b"x-original-url") or fields.get(b"x-rewrite-url") or target
