"""The pages: HTML at ``/billing`` and ``/billing-admin``, and below ``/billing/assets/`` what they are made of.

Everything is read, compressed and hashed once, beside the requests, when a page is first asked for. Assets carry one
digest of them all in their path, so browsers keep them for good and never mix two versions; the HTML that names them
is asked for each time, by ``ETag``, and is in the reader's language also where no script runs.
"""

import asyncio
import gzip
import hashlib
import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import orjson

import gateway
from gateway.core.answers import Answer
from gateway.core.page_policy import policy
from gateway.core.problems import MethodNotAllowed, NotFound, StoreUnavailable

TYPES = {
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
}
"""What is served, by suffix. Anything else in the folder is not."""
FIELDS = (b"accept-encoding", b"accept-language", b"host", b"if-none-match")
"""What an answer depends on, beside its path."""
_SAFE = [
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
]
_FOR_GOOD = (b"Cache-Control", b"public, max-age=31536000, immutable")
_EACH_TIME = (b"Cache-Control", b"no-cache")
_OF_ASSETS = (
    (b"Vary", b"Accept-Encoding"),
    (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_VARY_PAGE = (b"Vary", b"Accept-Encoding, Accept-Language")
_IMPORT = re.compile(r"""^(?:import|export)\s+(?:[\w*{][^"';=()]*\bfrom\s*)?["'](\.[^"']+)["']""", re.MULTILINE)
_HTML = b"text/html; charset=utf-8"
_ENTRIES = {"billing": "customer", "success": "success", "cancel": "cancel", "admin": "admin"}
_TITLES = {"billing": "billing", "success": "success.title", "cancel": "cancel.title", "admin": "admin"}
"""The messages that the pages are called by."""
LANGUAGES = ("en", "pt")
"""What there are files of messages for; the first is for everybody else."""
_MESSAGE = re.compile(r'^\s*("[\w.-]+"): ("(?:[^"\\]|\\.)*"),?$', re.MULTILINE)
_SLOT = re.compile(r"\{\{([\w.-]+)\}\}")


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is sent. ``etag``: strong, of the bytes before compression; the compressed form has its own."""

    kind: bytes
    raw: bytes
    packed: bytes
    etag: str


class Pages:
    """The pages below ``api`` (``/billing``) and at ``admin`` (``/billing-admin``). ``origins``: where they may be."""

    def __init__(self, api: str, admin: str, origins: Iterable[str] = ()) -> None:
        self._api, self._admin, self._origins = api.rstrip("/"), admin.rstrip("/"), tuple(origins)
        self._paths = {
            segments_of(self._api): "billing",
            segments_of(f"{self._api}-success"): "success",
            segments_of(f"{self._api}-cancel"): "cancel",
            segments_of(self._admin): "admin",
        }
        self._assets = (*segments_of(self._api), "assets")

    def has(self, segments: tuple[str, ...]) -> bool:
        """Whether this path is a page's or an asset's. ``segments``: lower case, without a slash at the end."""
        return segments in self._paths or segments[: len(self._assets)] == self._assets

    async def answer(self, method: str, segments: tuple[str, ...], headers: Mapping[bytes, str]) -> Answer:
        """The answer to a path that ``has`` knows. ``headers``: those of ``FIELDS`` that there are.

        Raises ``NotFound``, ``MethodNotAllowed``, and ``StoreUnavailable`` where the pages were not built.
        """
        if method not in {"GET", "HEAD"}:
            raise MethodNotAllowed("The pages are only read: use GET.", headers=((b"Allow", b"GET, HEAD"),))
        try:
            tree = await asyncio.to_thread(load, self._api)
        except FileNotFoundError as error:
            raise StoreUnavailable(f"The pages were not built: {error}. Say `make ui`; the API works.") from None
        name = self._paths.get(segments)
        if name is not None:
            language = spoken(headers.get(b"accept-language", ""))
            allowed = policy(headers.get(b"host", ""), self._origins, f"{self._api}/assets").encode()
            more = [_VARY_PAGE, (b"Content-Security-Policy", allowed)]
            return _sent(tree.pages[name, language], headers, _EACH_TIME, more)
        version, *rest = segments[len(self._assets) :] or [""]
        found = tree.assets.get("/".join(rest))
        if found is None:
            raise NotFound("The pages have no such file.")
        # A page that was loaded before an update asks for the old version: it gets the new one, and does not keep it.
        return _sent(found, headers, _FOR_GOOD if version == tree.version else _EACH_TIME)


@dataclass(frozen=True, slots=True)
class Tree:
    """All files, by their path below the folder; pages by name and language. ``version``: a digest of everything."""

    version: str
    assets: Mapping[str, File]
    pages: Mapping[tuple[str, str], File]


@lru_cache(maxsize=4)
def load(api: str) -> Tree:
    """Read, compress and hash everything. ``api``: the prefix that the pages name. Raises ``FileNotFoundError``."""
    folder = _folder()
    sources = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in TYPES
    }
    if "vendor/htm-preact.js" not in sources:
        raise FileNotFoundError("their libraries are missing")
    shell = (folder / "shell.html").read_text()
    whole = hashlib.sha256(shell.encode())
    for name, raw in sources.items():
        whole.update(f"{name} {len(raw)} ".encode() + raw)
    version = whole.hexdigest()[:16]
    assets = {name: _file(raw, TYPES[Path(name).suffix]) for name, raw in sources.items()}
    said = {"api": api, "assets": f"{api}/assets/{version}"}
    pages = {
        (name, language): _file(_page(name, language, shell, said, sources), _HTML)
        for name in _ENTRIES
        for language in LANGUAGES
    }
    return Tree(version, assets, pages)


def _folder() -> Path:
    """Where the files are: in the wheel, or in the checkout."""
    package = Path(gateway.__file__).parent
    checkout = package.parent / "admin_ui" / "static"
    return checkout if checkout.is_dir() else package / "presets" / "admin_ui"


def _page(name: str, language: str, shell: str, said: Mapping[str, str], sources: Mapping[str, bytes]) -> bytes:
    """The HTML of one page: what its script will import is named at once, so that nothing waits for the last file."""
    entry = f"js/{_ENTRIES[name]}.js"
    preloads = "\n".join(
        f'    <link rel="modulepreload" href="{said["assets"]}/{module}">' for module in imported(entry, sources)
    )
    words = messages(sources[f"js/messages/{language}.js"]) | messages(sources[f"js/messages/admin-{language}.js"])
    told = {key: html.escape(text) for key, text in words.items()}
    slots = {**told, **said, "entry": entry, "preloads": preloads.strip(), "language": language}
    slots["title"] = told[_TITLES[name]]
    return _SLOT.sub(lambda found: slots[found[1]], shell).encode()


def messages(source: bytes) -> dict[str, str]:
    """What a file of messages says, by key."""
    return {orjson.loads(key): orjson.loads(text) for key, text in _MESSAGE.findall(source.decode())}


def spoken(accepted: str) -> str:
    """The language of ours that a reader prefers (RFC 9110, 12.5.4), by its first part: ``pt-BR`` is ``pt``."""
    best, most = LANGUAGES[0], 0.0
    for entry in accepted.lower().split(","):
        tag, _, weight = entry.partition(";")
        language = tag.strip().partition("-")[0]
        found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight)
        liking = float(found[1]) if found else 1.0 if not weight else 0.0
        if language in LANGUAGES and liking > most:
            best, most = language, liking
    return best


def imported(entry: str, sources: Mapping[str, bytes]) -> list[str]:
    """What ``entry`` imports, itself and through others, itself apart; modules loaded on demand are not among it."""
    found: dict[str, None] = {}
    waiting = [entry]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found[module] = None
        here = Path("/") / module
        waiting += [_resolved(here.parent, relative) for relative in _IMPORT.findall(sources[module].decode())]
    return sorted(found.keys() - {entry})


def _resolved(folder: Path, relative: str) -> str:
    parts: list[str] = []
    for part in (folder / relative).parts[1:]:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _file(raw: bytes, kind: bytes) -> File:
    return File(kind, raw, gzip.compress(raw, 9, mtime=0), hashlib.sha256(raw).hexdigest()[:32])


def _sent(
    file: File,
    headers: Mapping[bytes, str],
    cache: tuple[bytes, bytes],
    more: Iterable[tuple[bytes, bytes]] = _OF_ASSETS,
) -> Answer:
    packed = "gzip" in _codings(headers.get(b"accept-encoding", ""))
    etag = f'"{file.etag}{"-gz" if packed else ""}"'
    fields = [*_SAFE, cache, *more, (b"ETag", etag.encode())]
    known = [tag.strip().removeprefix("W/") for tag in headers.get(b"if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Answer(304, fields, b"")
    fields.append((b"Content-Type", file.kind))
    if packed:
        fields.append((b"Content-Encoding", b"gzip"))
    return Answer(200, fields, file.packed if packed else file.raw)


def _codings(accepted: str) -> set[str]:
    """The codings that a client takes (RFC 9110, 12.5.3), those with ``q=0`` apart."""
    taken = set()
    for entry in accepted.lower().split(","):
        coding, _, weight = entry.partition(";")
        if not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight):
            taken.add(coding.strip())
    return taken


def segments_of(path: str) -> tuple[str, ...]:
    """A path as it is compared: lower case, without slashes at its ends."""
    return tuple(path.strip("/").lower().split("/"))
