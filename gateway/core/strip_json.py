"""JSON texts without the members of certain names, and otherwise byte for byte as they came.

Decoding and encoding again would change numbers, escapes and the order of what nobody asked to be changed.
"""

import re
from collections.abc import Iterable

_SPACE = rb"[ \t\n\r]*"
_SPACES = b" \t\n\r"
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_WORD = re.compile(rb"[^\s,\]}]*")
_NESTING = re.compile(_STRING.pattern + rb"|[{}\[\]]", re.DOTALL)
_SHORT = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
"""RFC 8259, 7: what has an escape of two characters."""


class JsonStripper:
    """Takes every member called one of ``names`` out of a JSON text, at any depth, in any spelling of the name.

    Raises ``ValueError`` without a name.
    """

    def __init__(self, names: Iterable[str]) -> None:
        spelled = [b"".join(map(_spellings, name)) for name in names]
        if not spelled:
            raise ValueError("there must be a name to look for")
        # In a JSON text a quote behind a brace, a comma or white space begins a string: inside one it is escaped.
        self._member = re.compile(rb'"(?<=[{,\s]")(?:' + b"|".join(spelled) + rb')"' + _SPACE + b":" + _SPACE)

    def __call__(self, text: bytes) -> bytes:
        """``text`` without those members; ``text`` itself if it has none. A member that does not end takes the rest."""
        found = self._member.search(text)
        if found is None:
            return text
        out, at = bytearray(), 0
        while found is not None:
            out += text[at : found.start()]
            at = _after(text, out, _value_end(text, found.end()))
            found = self._member.search(text, at)
        out += text[at:]
        return bytes(out)


def _spellings(character: str) -> bytes:
    """A pattern for one character of a name: as it is, or escaped (RFC 8259, 7)."""
    units = character.encode("utf-16-be", "surrogatepass")
    code = b"".join(rb"\\u(?i:%04x)" % int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    ways = [code]
    if character in _SHORT:
        ways.append(re.escape(f"\\{_SHORT[character]}".encode()))
    if character >= " " and character not in '"\\':
        ways.append(re.escape(character.encode("utf-8", "surrogatepass")))
    return b"(?:" + b"|".join(ways) + b")"


def _value_end(text: bytes, at: int) -> int:
    """Where the value that begins at ``at`` ends."""
    first = text[at : at + 1]
    if first == b'"':
        string = _STRING.match(text, at)
        return len(text) if string is None else string.end()
    if first not in (b"{", b"["):
        word = _WORD.match(text, at)
        return at if word is None else word.end()
    depth = 0
    for token in _NESTING.finditer(text, at):
        if token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
            if not depth:
                return token.end()
    return len(text)


def _after(text: bytes, out: bytearray, end: int) -> int:
    """Take away the comma that went with a member: the one before it, else the one behind. Where to go on."""
    last = len(out)
    while last and out[last - 1] in _SPACES:
        last -= 1
    if last and out[last - 1] == ord(","):
        del out[last - 1 :]
        return end
    next_ = end
    while next_ < len(text) and text[next_] in _SPACES:
        next_ += 1
    return next_ + 1 if text[next_ : next_ + 1] == b"," else end
