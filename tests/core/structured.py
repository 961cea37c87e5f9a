"""Reads a list of strings with integer parameters as RFC 9651 has it, and nothing else."""

import re

_ITEM = re.compile(rb'"([\x20\x21\x23-\x5b\x5d-\x7e]*)"((?:;[a-z*][a-z0-9_.*-]*=-?\d{1,15})*)')
_BETWEEN = re.compile(rb"[ \t]*,[ \t]*")

Members = list[tuple[str, dict[str, int]]]


def parse_list(value: bytes) -> Members:
    """The members in order; ``AssertionError`` on anything that a strict reader would ignore as malformed."""
    members: Members = []
    at = 0
    while True:
        item = _ITEM.match(value, at)
        assert item, f"no item at {at} of {value!r}"
        parameters = [pair.split(b"=") for pair in item[2].split(b";")[1:]]
        members.append((item[1].decode(), {name.decode(): int(number) for name, number in parameters}))
        at = item.end()
        if at == len(value):
            return members
        between = _BETWEEN.match(value, at)
        assert between, f"no comma at {at} of {value!r}"
        at = between.end()
