import asyncio

import aiohttp
import pytest
from yarl import URL

from gateway.demo.backend import Backend
from gateway.demo.data import ACME, BETA
from tests.demo.conftest import Headers


async def test_contacts_are_listed_by_limit_and_offset(client: aiohttp.ClientSession, signed: Headers) -> None:
    async def names(query: str) -> list[str]:
        async with client.get(f"/contact{query}", headers=signed()) as response:
            return [row["name"] for row in await response.json()]

    everybody = await names("?limit=-1")
    assert len(everybody) == 8
    assert await names("?limit=2&offset=1") == everybody[1:3]
    assert await names("") == everybody
    async with client.get("/contact?limit=many", headers=signed()) as response:
        assert response.status == 400


async def test_a_new_contact_comes_first_and_only_in_its_workspace(
    client: aiohttp.ClientSession, signed: Headers
) -> None:
    async with client.post("/contact", headers=signed(), json={"name": "Zoé"}) as response:
        assert (response.status, (await response.json())["name"]) == (201, "Zoé")
    for workspace, first in ((ACME.id, "Zoé"), (BETA.id, "Ana Souza")):
        async with client.get("/contact?limit=1", headers=signed("bob", workspace)) as response:
            assert (await response.json())[0]["name"] == first
    async with client.post("/contact", headers=signed(), json={}) as response:
        assert response.status == 400


async def test_a_message_takes_its_time_and_is_created(backend: Backend, signed: Headers) -> None:
    slow = Backend(
        jwt_secret="a secret of the tests, long enough", send_delay_s=0.2, clock=lambda: 1_800_000_000_000_000
    )
    url = await slow.start()
    started = asyncio.get_running_loop().time()
    body = {"to_id": "x", "sender_data": {"type": "text", "text": {"body": "Oi"}}}
    async with aiohttp.ClientSession(url) as client:
        async with client.post("/message/whatsapp", headers=signed(), json=body) as response:
            made = await response.json()
        assert asyncio.get_running_loop().time() - started >= 0.2
        assert (response.status, made["sender_data"]) == (201, body["sender_data"])
        async with client.get("/message?limit=1", headers=signed()) as response:
            assert await response.json() == [made]
        async with client.get("/status?limit=1", headers=signed()) as response:
            assert (await response.json())[0]["message_id"] == made["id"]
    await slow.close()
    assert not backend.requests


@pytest.mark.parametrize(
    ("path", "status", "found"),
    [
        ("/message/content/sender_data/like/Ol%C3%A1%2C%20ana", 200, 1),
        ("/message/content/Sender_Data/like/Ol%C3%A1", 200, 0),
        ("/message/content/sender_data/like/Ol%C3%A1,+ana", 200, 1),
        ("/message/content/like/wamid", 200, 8),
        ("/message/content/sender_data/like/100%", 400, None),
        ("/message/content/sender_data/like/a%2Fb", 200, 0),
        ("/status/content/product_data/like/delivered", 200, 8),
    ],
)
async def test_a_search_text_is_decoded_by_the_handler(
    url: str, signed: Headers, path: str, status: int, found: int | None
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(url + path, encoded=True), headers=signed()) as response,
    ):
        assert response.status == status
        if found is not None:
            assert len(await response.json()) == found


async def test_statuses_need_a_user_and_no_workspace(
    client: aiohttp.ClientSession, signed: Headers, backend: Backend
) -> None:
    async with client.get("/status", headers=signed("bob", "no uuid")) as response:
        assert response.status == 200
    assert backend.requests[-1].workspace is None
    async with client.get("/status") as response:
        assert response.status == 400
    async with client.get("/message/count", headers=signed()) as response:
        assert await response.json() == 8
