"""JSON columns without loss: a Decimal is stored as the number that it is."""

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(decimal_format="number").encode


class ExactEncoder(json.JSONEncoder):
    """Encoder of a JSONField whose value may hold `Decimal`, as a charger's answer does."""

    def encode(self, o: Any) -> str:
        """Return the JSON text."""
        return _encode(o).decode()
