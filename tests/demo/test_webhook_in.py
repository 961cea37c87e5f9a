import aiohttp
import pytest

from gateway.demo.data import ACME_PHONE, BETA_PHONE, OLD_PHONE
from gateway.demo.webhook_in import signature

BODY = b'{"object":"whatsapp_business_account","entry":[]}'


@pytest.mark.parametrize(
    ("waba_id", "header", "status"),
    [
        (ACME_PHONE.waba_id, signature(ACME_PHONE.app_secret, BODY), 200),
        (ACME_PHONE.waba_id, signature(ACME_PHONE.app_secret, BODY + b" "), 401),
        (ACME_PHONE.waba_id, signature("guess", BODY), 401),
        (ACME_PHONE.waba_id, "", 401),
        (BETA_PHONE.waba_id, "", 200),
        (OLD_PHONE.waba_id, signature(OLD_PHONE.app_secret, BODY), 404),
        ("1", "", 404),
    ],
)
async def test_metas_calls_are_checked_against_the_app_secret(
    client: aiohttp.ClientSession, waba_id: str, header: str, status: int
) -> None:
    headers = {"X-Hub-Signature-256": header} if header else {}
    async with client.post(f"/webhook-in/{waba_id}", data=BODY, headers=headers) as response:
        assert (response.status, response.content_type) == (status, "text/plain")


def test_the_signature_is_metas() -> None:
    # From the definition of HMAC-SHA-256: RFC 4231, test case 2.
    assert signature("Jefe", b"what do ya want for nothing?") == (
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


async def test_metas_verification_gets_its_challenge_back(client: aiohttp.ClientSession) -> None:
    path = f"/webhook-in/{ACME_PHONE.waba_id}"
    query = {"hub.mode": "subscribe", "hub.challenge": "42", "hub.verify_token": ACME_PHONE.verify_token}
    async with client.get(path, params=query) as response:
        assert (response.status, await response.text()) == (200, "42")
    async with client.get(path, params=query | {"hub.verify_token": "guess"}) as response:
        assert response.status == 403
