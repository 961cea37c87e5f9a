"""What a request can fail with, and the one error shape.

Outcomes that are part of the job (a charge, a refusal for want of budget) are values, not problems.
"""

from collections.abc import Mapping
from typing import ClassVar


class Problem(Exception):  # noqa: N818  (RFC 9457 calls it a problem)
    """A request the gateway answers itself. ``message`` is for the caller and never holds a secret.

    ``code`` is a stable word for programs; ``content`` holds details as JSON values; ``headers`` are added to the
    answer.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        message: str,
        *,
        content: Mapping[str, object] | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.content = content
        self.headers = headers


class BadRequest(Problem):
    """The request cannot be understood in one way only."""

    status, code, title = 400, "bad_request", "Bad request"


class Unauthorized(Problem):
    """A credential is missing where one is needed, or present and not good."""

    status, code, title = 401, "unauthorized", "Unauthorized"


class Forbidden(Problem):
    """The credential is good and does not allow this."""

    status, code, title = 403, "forbidden", "Forbidden"


class NotFound(Problem):
    """Nothing of ours is there."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(Problem):
    """One of our own paths does not know this method (RFC 9110, 15.5.6: ``Allow`` says which it knows)."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"


class Conflict(Problem):
    """What is there already does not allow it: a name that is taken, a row that others hang on."""

    status, code, title = 409, "conflict", "Conflict"


class PreconditionFailed(Problem):
    """Somebody else changed it since the caller read it (RFC 9110, 13.1.1)."""

    status, code, title = 412, "precondition_failed", "Precondition failed"


class ContentTooLarge(Problem):
    """The body is over a configured limit (RFC 9110, 15.5.14)."""

    status, code, title = 413, "body_too_large", "Content too large"


class Unprocessable(Problem):
    """Understood, and what it says cannot be."""

    status, code, title = 422, "unprocessable", "Unprocessable content"


class TooManyRequests(Problem):
    """Too often, whoever pays: one of our own routes is asked for faster than anybody needs (RFC 6585, 4)."""

    status, code, title = 429, "too_many_requests", "Too many requests"


class TooManyQuestions(TooManyRequests):
    """For these requests others have to be asked who the caller is, and where: faster than one caller may."""

    code = "too_many_questions"


class TooLarge(Problem):
    """The head, or the trailers, are over a configured limit (RFC 6585, 5)."""

    status, code, title = 431, "head_too_large", "Request header fields too large"


class NotImplementedHere(Problem):
    """A method or transfer coding that the gateway does not speak (RFC 9110, 15.6.2)."""

    status, code, title = 501, "not_implemented", "Not implemented"


class BadGateway(Problem):
    """The upstream refused the connection or did not speak HTTP."""

    status, code, title = 502, "bad_gateway", "Bad gateway"


class Unavailable(Problem):
    """The gateway cannot take this just now; the caller may try again soon (RFC 9110, 15.6.4)."""

    status, code, title = 503, "unavailable", "Service unavailable"


class StoreUnavailable(Problem):
    """Whether this can be paid is not known just now: our fault, nobody's budget."""

    status, code, title = 503, "store_unavailable", "Service unavailable"


class GatewayTimeout(Problem):
    """The upstream did not answer in time."""

    status, code, title = 504, "gateway_timeout", "Gateway timeout"
