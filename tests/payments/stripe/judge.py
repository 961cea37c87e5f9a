"""The document as a judge of a running fake: of every request, every answer and every event, whoever runs it.

What was judged before is not judged again: two values of one shape differ in numbers and names only. So it costs little
where thousands of histories are played.
"""

from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.demo.stripe.server import FakeStripe
from tests.payments.stripe.document import faults_of_object, faults_of_request

UNDOCUMENTED = ("payment_pages",)
_REFUSED = (400, 401, 404)
"""What the fake refuses has done nothing, and may be as wrong as it was found."""
_LONGEST_WORD, _LONGEST_TEXT = 40, 5000

_sound: set[Hashable] = set()


def shape(value: Any) -> Hashable:
    """What the document can say of a value: its fields, kinds and words; not its numbers, nor any names."""
    if isinstance(value, Mapping):
        return tuple(sorted((name, shape(each)) for name, each in value.items()))
    if isinstance(value, list):
        return ("list", frozenset(map(shape, value)))
    if isinstance(value, str):
        word = len(value) <= _LONGEST_WORD and not any(each.isdigit() for each in value)
        return ("word", value) if word else ("text", len(value) > _LONGEST_TEXT, value.isdigit())
    return type(value).__name__


def _once(key: Hashable, judged: Callable[[], list[str]]) -> list[str]:
    if key in _sound:
        return []
    found = judged()
    if not found:
        _sound.add(key)
    return found


@dataclass
class Judge:
    """Holds each request and each answer to Stripe's document; events too."""

    faults: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def __call__(self, method: str, path: str, form: Mapping[str, Any], status: int, answer: Mapping[str, Any]) -> None:
        if path.startswith(UNDOCUMENTED):
            return
        self.seen.add(f"{method} {path.split('/', maxsplit=1)[0]}")
        steps = tuple("*" if any(each.isdigit() for each in step) else step for step in path.split("/"))
        asked, said = [], []
        if status not in _REFUSED:
            asked = _once((method, steps, shape(form)), lambda: faults_of_request(method, path, form))
        if status == 200:
            said = self._judged(answer)
        self.faults += [f"{method} {path}: {each}" for each in (*asked, *said)]

    def judge_events(self, fake: FakeStripe) -> None:
        for event in fake.books.events:
            self.faults += [f"{event['type']}: {each}" for each in self._judged(event)]

    def _judged(self, said: Mapping[str, Any]) -> list[str]:
        if said.get("object") == "list":
            return [fault for each in said["data"] for fault in self._judged(each)]
        return _once(shape(said), lambda: faults_of_object(said))

    def check(self, fake: FakeStripe) -> None:
        """Raises ``AssertionError`` for all that was not as the document says."""
        self.judge_events(fake)
        if self.faults:
            raise AssertionError("\n".join(dict.fromkeys(self.faults)))


@asynccontextmanager
async def judged(**how: Any) -> AsyncIterator[FakeStripe]:
    """A fake Stripe that listens and is judged."""
    judge = Judge()
    fake = FakeStripe(**how, on_request=judge)
    await fake.start()
    try:
        yield fake
        judge.check(fake)
    finally:
        await fake.close()
