"""Clients of the operator API with a role and a scope."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _no_failures_counted() -> None:
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def client_of(db: None) -> Callable[..., Any]:
    """Make a client with a role and a scope."""
    from cpo import api_tokens
    from tests.cpo.api.client import ApiClient

    def make(role: str = "admin", **scope: Any) -> ApiClient:
        _, text = api_tokens.issue(f"test {role}", role=role, **scope)
        return ApiClient(text)

    return make


@pytest.fixture
def api(client_of: Callable[..., Any]) -> Any:
    """Give a client that may do everything."""
    return client_of()
