"""Routes for files: multipart upload, and a download with its length and an attachment name."""

import hashlib
import re
from dataclasses import dataclass

from aiohttp import web

from gateway.demo.data import Media, World
from gateway.demo.exchange import Call, Served, answer, api_error
from gateway.demo.identity import Identity
from gateway.demo.router import Router

_EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "audio/ogg": "ogg",
    "video/mp4": "mp4",
    "application/pdf": "pdf",
    "text/plain": "txt",
}
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_PARAMETER = re.compile(r'\b(name|filename)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart form; ``filename`` is empty for plain fields."""

    name: str
    filename: str
    content: bytes


def parse_form(content_type: str, body: bytes) -> list[Part]:
    """The parts of a multipart/form-data body, byte for byte (RFC 7578); what is malformed is left out."""
    boundary = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or boundary is None:
        return []
    delimiter = b"\r\n--" + boundary[1].encode("latin-1")
    found = []
    for chunk in (b"\r\n" + body).split(delimiter)[1:]:
        head, separator, content = chunk.partition(b"\r\n\r\n")
        if chunk.startswith(b"--"):
            break
        fields = dict(_PARAMETER.findall(head.decode("utf-8", "replace")))
        if separator and "name" in fields:
            found.append(Part(fields["name"], fields.get("filename", ""), content))
    return found


def add_media(router: Router[Served], world: World, identity: Identity) -> None:
    """Routes under ``/media/whatsapp``."""

    async def info(call: Call) -> web.Response:
        found = world.media.get(call.params["media_id"])
        if found is None:
            return api_error(500, "failed to retrieve media URL", "handler", "unknown media id")
        digest = hashlib.sha256(found.content).hexdigest()
        row = {"messaging_product": "whatsapp", "id": found.id, "mime_type": found.mime_type}
        return answer(row | {"sha256": digest, "file_size": len(found.content)})

    async def download(call: Call) -> web.Response:
        found = world.media.get(call.params["media_id"])
        if found is None:
            return api_error(500, "failed to retrieve media URL", "service", "unknown media id")
        name = f"attachment; filename={found.id}.{found.extension}"
        return web.Response(body=found.content, content_type=found.mime_type, headers={"Content-Disposition": name})

    async def upload(call: Call) -> web.Response:
        parts = {part.name: part for part in parse_form(call.header("Content-Type"), call.body)}
        file, kind = parts.get("file"), parts.get("type")
        if file is None or not file.filename:
            return api_error(
                400, "file is required", "handler", "there is no uploaded file associated with the given key"
            )
        if kind is None or not kind.content:
            return api_error(400, "MIME type is required", "handler", "no type provided")
        mime_type = kind.content.decode("utf-8", "replace")
        if mime_type not in _EXTENSIONS:
            return api_error(415, "unsupported MIME type", "handler", "unsupported")
        media_id = str(int(hashlib.sha256(file.content).hexdigest()[:12], 16))
        world.store(Media(media_id, mime_type, _EXTENSIONS[mime_type], file.content))
        return answer({"id": media_id})

    router.add("GET", "/media/whatsapp/:media_id", Served(info, identity.member()))
    router.add("GET", "/media/whatsapp/download/:media_id", Served(download, identity.member()))
    router.add("POST", "/media/whatsapp/upload", Served(upload, identity.member()))
