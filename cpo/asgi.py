"""The ASGI application: HTTP, the charger sockets and the console's live socket.

Served by uvicorn (production, `make run`) or Daphne. The OCPP endpoint takes no part in sessions and cookies.
"""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.sessions import SessionMiddlewareStack
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cpo.settings")
http = get_asgi_application()

from channels.auth import AuthMiddleware  # noqa: E402 - needs configured apps
from django.conf import settings  # noqa: E402

from cpo.console.live import LiveConsumer  # noqa: E402
from cpo.files.edge import in_front_of  # noqa: E402
from cpo.lib import metrics_share  # noqa: E402
from stations.ocpp.consumer import OcppConsumer  # noqa: E402

live = AllowedHostsOriginValidator(
    SessionMiddlewareStack(AuthMiddleware(URLRouter([re_path(r"^ws/live/?$", LiveConsumer.as_asgi())])))
)
chargers = OcppConsumer.as_asgi()


async def websocket(scope, receive, send):  # type: ignore[no-untyped-def]
    """Send charger sockets straight to their consumer: no URL regex, session or cookie on the hot path."""
    application = chargers if scope["path"].startswith("/ocpp") else live
    await application(scope, receive, send)


metrics_share.start(settings.REDIS_URL)
application = ProtocolTypeRouter({"http": in_front_of(http), "websocket": websocket})
