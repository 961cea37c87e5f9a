"""A raw path into the segments that the upstream's router compares, or a refusal where routers differ."""

import re
from typing import NoReturn
from urllib.parse import unquote_to_bytes

from gateway.core.problems import BadRequest
from gateway.core.profile import Profile

_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_MATRIX = re.compile(rb";[^/]*")
_MATRIX_END = re.compile(rb";[^/]*%(?:2[Ff]|5[Cc]|00)")


def read_path(path: bytes, profile: Profile) -> tuple[str, ...]:
    """The canonical segments of a path that starts with ``/``; ``BadRequest`` where routers would differ on it."""
    if path.startswith(b"//"):
        # fasthttp and URL parsers read //host/path as a reference to another host, then route by what follows it.
        raise BadRequest("The path starts with `//`, which some servers read as a host. Write one slash.")
    if profile.decode != "none" and _MALFORMED.search(path):
        raise BadRequest("The path has a `%` that two hexadecimal digits do not follow. Write %25 for a percent sign.")
    inner = path[1:]
    if profile.matrix_params == "dropped":
        inner = _without_parameters(inner, profile)
    if profile.decode == "path":
        inner = unquote_to_bytes(inner)
    pieces = inner.split(b"/")
    if profile.odd_segments == "refuse":
        _refuse_odd(inner, pieces, profile)
    if profile.decode == "segments":
        pieces = [_decoded(piece, profile) for piece in pieces]
    return without_end([_name(piece, profile) for piece in pieces], profile)


def _without_parameters(inner: bytes, profile: Profile) -> bytes:
    """Cut ``;x=y`` off each segment. Servers cut before or after they decode and split: where that differs, refuse."""
    if profile.odd_segments == "refuse" and b"\\" in inner:
        _refuse_backslash()
    if profile.decode == "path" and _MATRIX_END.search(inner):
        raise BadRequest(
            "A path parameter holds an encoded slash, backslash or NUL, which servers read differently. Leave it out."
        )
    cut = _MATRIX.sub(b"", inner)
    if profile.decode != "none" and b"%3b" in cut.lower():
        raise BadRequest("The path contains an encoded `;`, which some servers read as a parameter. Leave %3B out.")
    return cut


def _name(piece: bytes, profile: Profile) -> str:
    if profile.case == "sensitive":
        return text_of(piece)
    return text_of(piece.lower()) if profile.decode == "none" else folded(text_of(piece))


def _decoded(piece: bytes, profile: Profile) -> bytes:
    decoded = unquote_to_bytes(piece)
    if profile.odd_segments == "refuse" and decoded in (b".", b".."):
        _refuse_dots()
    return decoded


def _refuse_odd(inner: bytes, pieces: list[bytes], profile: Profile) -> None:
    if b"\\" in inner:
        _refuse_backslash()
    if profile.decode == "path" and b"\0" in inner:
        raise BadRequest("The path contains an encoded NUL, where some servers stop reading. Leave %00 out.")
    if b"" in pieces[:-1]:
        raise BadRequest("The path contains an empty segment, which some servers merge. Write one slash, not `//`.")
    if b"." in pieces or b".." in pieces:
        _refuse_dots()


def _refuse_backslash() -> NoReturn:
    raise BadRequest("The path contains a backslash, which some servers read as a slash. Write `/` or %5C.")


def _refuse_dots() -> NoReturn:
    raise BadRequest("The path contains a `.` or `..` segment, which servers resolve differently. Write it resolved.")


def without_end(segments: list[str], profile: Profile) -> tuple[str, ...]:
    """The split path as segments: ``/`` is none, and trailing slashes count or do not."""
    if not segments[-1]:
        if len(segments) == 1:
            return ()
        if profile.trailing_slash == "dropped":
            while segments and not segments[-1]:
                segments.pop()
    return tuple(segments)


def text_of(piece: bytes) -> str:
    """The piece as text; bytes that are not UTF-8 come percent-encoded, so that nothing downstream meets surrogates."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        text = piece.decode("utf-8", "surrogateescape")
        return re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", text)


def folded(text: str) -> str:
    """Case folded as widely as some router may do it: merging too much never makes a spelling cheaper."""
    if text.isascii():
        return text.lower()
    # Java and .NET hold the dotless i and the dotted capital I equal to i; full case folding alone does not.
    return text.upper().casefold().replace("i\u0307", "i")


def loosest(path: bytes) -> list[str]:
    """The segments in the reading that folds most: empty and ``.`` segments are gone, ``..`` are left to the caller."""
    decoded = unquote_to_bytes(re.sub(rb"%(?:25)+", b"%", path))
    names = (re.split(rb"[;\x00]", piece, maxsplit=1)[0] for piece in re.split(rb"[/\\]", decoded))
    return [folded(text_of(name)) for name in names if name not in (b"", b".")]
