"""A client of the operator API: a token, exact JSON, and nothing of Django's sessions."""

import json
from decimal import Decimal
from typing import Any

from django.test import Client


class ApiClient:
    """Speaks to /api/v1/ with one token; paths are relative to it, an absolute link is taken as it is."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.http = Client()

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        url = path if path.startswith(("http", "/")) else f"/api/v1/{path}"
        if self.token:
            headers.setdefault("authorization", f"Bearer {self.token}")
        data = (
            body
            if isinstance(body, bytes)
            else b""
            if body is None
            else json.dumps(body, default=str).encode()
        )
        return self.http.generic(method, url, data, content_type="application/json", headers=headers)

    def get(self, path: str) -> Any:
        """Give the parsed answer of a GET that must work."""
        answer = self("GET", path)
        assert answer.status_code == 200, answer.content
        return parsed(answer)

    def post(self, path: str, body: Any = None, *, expect: int = 200) -> Any:
        """Give the parsed answer of a POST with this status."""
        answer = self("POST", path, body)
        assert answer.status_code == expect, answer.content
        return parsed(answer)


def parsed(answer: Any) -> Any:
    """Read an answer without loss."""
    return json.loads(answer.content, parse_float=Decimal)
