"""What all answers that the gateway makes itself have in common."""

import json
import socket
from typing import Any

from tests.e2e.wire import Answered

DIALECTS = ("wacraft", "problem")


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def shape(answer: Answered, dialect: str) -> dict[str, Any]:
    """Check what all errors have in common; the details for programs."""
    assert answer.all("Content-Length") == [str(len(answer.body))]
    assert answer.get("Cache-Control") == "no-store"
    assert answer.get("Date")
    body: dict[str, Any] = json.loads(answer.body)
    if dialect == "wacraft":
        assert answer.get("Content-Type") == "application/json"
        assert set(body) == {"context", "description", "message", "content"}
        assert body["context"] == ("billing" if answer.status == 429 else "gateway")
        words, details = body["description"], body["content"]
        assert body["message"]
    else:
        assert answer.get("Content-Type") == "application/problem+json"
        assert body["status"] == answer.status
        assert body["type"] == "about:blank" or body["type"].startswith(
            "https://iana.org/assignments/http-problem-types#"
        )
        assert body["title"]
        words, details = body["detail"], body
    # A sentence for people, and nothing of ours in it.
    assert words.endswith(".") or answer.status == 429
    assert "Traceback" not in words
    assert details["request_id"] == answer.get("X-Request-ID")
    assert len(details["request_id"]) == 26
    assert isinstance(details, dict)
    return details
