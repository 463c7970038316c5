"""Every route of the API, read from its URL patterns: a new one cannot be forgotten by the generated tests."""

import re
from collections.abc import Iterator

from cpo.api import urls


def routes() -> Iterator[tuple[str, str, str]]:
    """Give (method, path with {names}, name of the route)."""
    for pattern in urls.urlpatterns:
        if pattern.name == "api-not-found":
            continue
        path = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", str(pattern.pattern)).strip("^$").replace("/?", "/")
        view = pattern.callback.cls
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            if hasattr(view, method.lower()):
                yield method, path, pattern.name.removeprefix("api-")


ROUTES = list(routes())
CHANGES = [route for route in ROUTES if route[0] != "GET"]
