"""``Idempotency-Key``: how a repeated call is known as the same one."""

from hashlib import sha256

from gateway.api.call import Call
from gateway.api.fields import Said
from gateway.core.problems import BadRequest
from gateway.store.once import Once

_LONGEST_KEY = 128


def once(call: Call, act: str, said: Said) -> Once | None:
    """By what a repetition of this call is known; ``None``: it does not say. Each admin's keys are their own.

    Raises ``BadRequest``.
    """
    key = (call.knock.header(b"idempotency-key") or b"").decode("latin-1").strip().strip('"')
    if not key:
        return None
    if len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise BadRequest(f"Idempotency-Key must be 1 to {_LONGEST_KEY} printable ASCII characters.")
    whose = sha256(f"{call.mandate.actor.id}\0{key}".encode()).hexdigest()
    return Once(f"{act}:{whose}", sha256(said.model_dump_json().encode()).hexdigest())
