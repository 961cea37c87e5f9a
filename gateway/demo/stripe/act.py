"""What the tables of requests are made of."""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.selling import Selling

Form = Mapping[str, Any]
Answerer = Callable[[Selling, list[str], Form], Object]
Acts = tuple[tuple[str, Answerer], ...]
"""Method and path, a star for an id; and who answers, given what stands for the stars. Raises ``Refusal``."""
