import hashlib

import aiohttp
import pytest

from gateway.demo.backend import MAX_BODY
from gateway.demo.data import PICTURE
from gateway.demo.media import Part, parse_form
from tests.demo.conftest import Headers
from tests.demo.wire import head, send

AWKWARD = b"\r\n--\x00\xff\r\r\n\n--end--\r\n"


async def test_a_download_has_its_length_and_an_attachment_name(client: aiohttp.ClientSession, signed: Headers) -> None:
    path = f"/media/whatsapp/download/{PICTURE.id}"
    async with client.get(path, headers=signed()) as response:
        assert await response.read() == PICTURE.content
        assert response.content_type == "image/png"
        assert response.headers["Content-Length"] == str(len(PICTURE.content))
        assert response.headers["Content-Disposition"] == f"attachment; filename={PICTURE.id}.png"
    async with client.head(path, headers=signed()) as response:
        assert (response.status, await response.read()) == (200, b"")
        assert response.headers["Content-Length"] == str(len(PICTURE.content))


async def test_an_uploaded_file_comes_back_byte_for_byte(client: aiohttp.ClientSession, signed: Headers) -> None:
    form = aiohttp.FormData()
    form.add_field("type", "application/pdf")
    form.add_field("file", AWKWARD, filename="a.pdf", content_type="application/pdf")
    async with client.post("/media/whatsapp/upload", data=form, headers=signed()) as response:
        assert response.status == 200
        media_id = (await response.json())["id"]
    async with client.get(f"/media/whatsapp/download/{media_id}", headers=signed()) as response:
        assert await response.read() == AWKWARD
    async with client.get(f"/media/whatsapp/{media_id}", headers=signed()) as response:
        assert (await response.json())["sha256"] == hashlib.sha256(AWKWARD).hexdigest()


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"type": "image/png"}, 400), ({"file": b"x"}, 400), ({"file": b"x", "type": "x/y"}, 415)],
)
async def test_an_incomplete_upload_is_refused(
    client: aiohttp.ClientSession, signed: Headers, fields: dict[str, str | bytes], status: int
) -> None:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        form.add_field(name, value, filename="f" if name == "file" else None)
    async with client.post("/media/whatsapp/upload", data=form, headers=signed()) as response:
        assert response.status == status


async def test_an_unknown_file_is_metas_error(client: aiohttp.ClientSession, signed: Headers) -> None:
    for path in ("/media/whatsapp/1", "/media/whatsapp/download/1"):
        async with client.get(path, headers=signed()) as response:
            assert (response.status, (await response.json())["message"]) == (500, "failed to retrieve media URL")


async def test_a_body_of_four_mebibytes_passes_and_one_byte_more_does_not(url: str, signed: Headers) -> None:
    for size, status in ((MAX_BODY, 400), (MAX_BODY + 1, 413)):
        request = head("POST", "/media/whatsapp/upload", Content_Length=str(size), **signed())
        answered = await send(url, request + bytes(size))
        assert (answered.status, answered.closed) == (status, status == 413)
    assert answered.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answered.body == b"Request Entity Too Large"


async def test_a_chunked_body_is_cut_off_at_the_same_size(url: str) -> None:
    chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    for chunks, status in ((4, 404), (5, 413)):
        answered = await send(
            url, head("POST", "/nowhere", Transfer_Encoding="chunked") + chunk * chunks + b"0\r\n\r\n"
        )
        assert answered.status == status


async def test_a_body_announced_too_big_is_refused_before_it_is_asked_for(url: str) -> None:
    answered = await send(url, head("POST", "/contact", Content_Length=str(MAX_BODY + 1), Expect="100-continue"))
    assert answered.status == 413


def test_a_form_is_parsed_byte_for_byte() -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: x/y\r\n\r\n'
        + AWKWARD
        + b'\r\n--b\r\nContent-Disposition: form-data; name="type"\r\n\r\nx/y\r\n--b--\r\n'
    )
    assert parse_form('multipart/form-data; boundary="b"', body) == [
        Part("file", "a.bin", AWKWARD),
        Part("type", "", b"x/y"),
    ]
    assert parse_form("multipart/form-data", body) == []
    assert parse_form("application/json; boundary=b", body) == []
