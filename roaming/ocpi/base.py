"""The base of all OCPI views: who asks, for whom, in which version; and what every answer carries.

OCPI 2.2.1 transport_and_format: authorization header, message routing headers, unique message ids.
"""

import base64
import binascii
import time
import uuid
from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property
from typing import Any

import structlog
from django.db import DatabaseError
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, ParseError, UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cpo.lib import clock, metrics
from roaming import client, keyring, registration, wire
from roaming.models import Connection, Exchange, InboundToken, RemoteParty
from roaming.ocpi import envelope, paging
from roaming.ocpi.versions import Version
from roaming.visibility import VisibleTo
from stations.models import Operator

log = structlog.get_logger(__name__)
BODY_LIMIT = 1024 * 1024  # bytes of a document that a partner sends
_USE_NOTED = timedelta(minutes=1)


class DocumentTooLarge(envelope.Refusal):
    def __init__(self) -> None:
        super().__init__(envelope.INVALID, "document too large", http=413)


class OcpiRenderer(BaseRenderer):
    """Writes the envelope: decimals as numbers, instants with `Z`."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        view = (renderer_context or {})["view"]
        return wire.dumps(data, fractions=view.version.has_fractions)


class AlwaysJson(BaseContentNegotiation):
    """OCPI knows one representation: whatever the Accept header says, it is that."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Iterable[Any], format_suffix: Any = None) -> Any:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class CredentialsToken(BaseAuthentication):
    """`Authorization: Token <base64 or raw>`: finds the platform that shows a token of ours."""

    def authenticate(self, request: Request) -> tuple[Connection, InboundToken]:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        word, space, value = header.partition(" ")
        if word != "Token" or not space or not value or value != value.strip():
            raise NotAuthenticated("a credentials token is required")
        candidates = dict(_candidates(value))
        by_digest = {d: encoding for token, encoding in candidates.items() for d in keyring.digests(token)}
        found = InboundToken.objects.select_related("connection").filter(digest__in=by_digest).first()
        if found is None or (found.expires_at is not None and found.expires_at <= clock.now()):
            raise AuthenticationFailed("unknown credentials token")
        _note_use(found, encoding=by_digest[found.digest], address=request.META.get("REMOTE_ADDR", ""))
        return found.connection, found

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class OcpiView(APIView):
    """One endpoint. Subclasses read the request, act through services, and return `envelope.answer`."""

    authentication_classes = [CredentialsToken]
    permission_classes = []
    renderer_classes = [OcpiRenderer]
    content_negotiation_class = AlwaysJson
    http_method_names = ["get", "post", "put", "patch", "delete"]
    module = ""
    is_functional = True  # carries routing headers, needs a finished registration
    version: Version

    def get_exception_handler(self) -> Any:
        return envelope.translate

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate, then check what this token and these parties may do."""
        super().initial(request, *args, **kwargs)
        if self.is_functional:
            is_access = self.inbound.purpose == InboundToken.Purpose.ACCESS
            if not (is_access and self.connection.is_registered):
                raise AuthenticationFailed("this token is for registration only")
            self.route  # noqa: B018  (refuses spoofed parties before anything is done)

    @property
    def connection(self) -> Connection:
        connection: Any = self.request.user
        assert isinstance(connection, Connection)
        return connection

    @property
    def inbound(self) -> InboundToken:
        inbound: Any = self.request.auth
        assert isinstance(inbound, InboundToken)
        return inbound

    @cached_property
    def route(self) -> "tuple[str | None, Operator | None]":
        """Return the party that asks and the operator that is asked, as far as the headers say."""
        return _asking(self.request, self.connection), _asked(self.request)

    @cached_property
    def visible(self) -> VisibleTo:
        party, operator = self.route
        return VisibleTo(self.connection, party=party, operator=operator)

    def page(self, rows: Any, window: paging.Window, *, only_grows: bool = False) -> paging.Page:
        """Cut the page of this request out of the rows."""
        registered = f"{self.connection.pk} {self.connection.credentials_at}"
        scope = f"{registered} {self.module} {self.route[0]} {self.route[1]}"
        return paging.page(rows, window, url=self.kwargs["here"], scope=scope, only_grows=only_grows)

    @cached_property
    def document(self) -> Any:
        """Return the JSON body, an object; raises what becomes HTTP 400, 413 or 415."""
        request = self.request
        kind = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if kind not in ("application/json", ""):
            raise UnsupportedMediaType(kind[:80])
        if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() not in ("identity", ""):
            raise UnsupportedMediaType("compressed")
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > BODY_LIMIT:
            raise DocumentTooLarge
        raw = request._request.read(BODY_LIMIT + 1)
        if len(raw) > BODY_LIMIT:
            raise DocumentTooLarge
        self.raw_body = raw
        try:
            document = wire.loads(raw)
        except wire.BadDocument as error:
            raise ParseError(str(error)) from error
        if not isinstance(document, dict):
            raise envelope.Refusal(envelope.INVALID, "an object is expected")
        return document

    def read(self, serializer: Any, data: Any = None, *, partial: bool = False) -> dict[str, Any]:
        """Check a document with a serializer of this version and return its values; faults become 2001."""
        reader = serializer(
            data=self.document if data is None else data, partial=partial, context=self.reading
        )
        reader.is_valid(raise_exception=True)
        values: dict[str, Any] = reader.validated_data
        return values

    @cached_property
    def reading(self) -> dict[str, Any]:
        """What was put right while reading, for the exchange log."""
        return {"version": self.version, "warnings": []}

    def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.version = kwargs["version"]
        self.started = time.monotonic()
        self.raw_body = b""

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add message ids and routing headers, and store the exchange."""
        finished = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(finished, Response):
            for name in ("X-Request-ID", "X-Correlation-ID"):
                finished[name] = _message_id(request, name)
            finished["Allow"] = ", ".join(self.allowed_methods)
            if self.is_functional:
                self._swap_route(request, finished)
            finished.render()
            try:
                self._record(request, finished)
            except DatabaseError:
                log.warning("exchange not stored", module=self.module, request_id=finished["X-Request-ID"])
        return finished

    def _swap_route(self, request: Any, response: Response) -> None:
        """Answer to whom it came from, from whom it went to."""
        for ours, theirs in (("to", "from"), ("from", "to")):
            for name in ("party-id", "country-code"):
                value = request.META.get(f"HTTP_OCPI_{theirs}_{name}".upper().replace("-", "_"))
                if value and value.isascii() and value.isprintable() and len(value) <= 3:
                    response[f"OCPI-{ours}-{name}"] = value

    def _record(self, request: Any, response: Response) -> None:
        metrics.ocpi_requests.add(self.module, str(response.status_code))
        connection = getattr(request, "_user", None)
        if not isinstance(connection, Connection):
            return  # nobody we know: counted, not stored
        body = response.data if isinstance(response.data, dict) else {}
        is_ok = body.get("status_code") == envelope.SUCCESS
        warnings = list(self.reading["warnings"])
        if "token" in request.GET:
            warnings.append("credentials token in the query: ignored")
        Exchange.objects.create(
            connection=connection,
            direction=Exchange.Direction.IN,
            at=clock.now(),
            module=self.module,
            method=str(request.method)[:7],
            url=_shown_url(request),
            object_key="/".join(str(self.kwargs[k]) for k in ("party", "uid") if k in self.kwargs)[:120],
            http_status=response.status_code,
            status_code=body.get("status_code"),
            error=str(body.get("status_message", ""))[:255],
            request_id=response["X-Request-ID"],
            correlation_id=response["X-Correlation-ID"],
            remote_address=request.META.get("REMOTE_ADDR", "")[:64],
            request_headers=client.shown(request.headers),
            request_body=client.kept(self.raw_body, self.module, is_ok=is_ok),
            response_headers=client.shown(dict(response.items())),
            response_body=client.kept(response.content, self.module, is_ok=is_ok),
            warnings=warnings[:50],
            duration_ms=int((time.monotonic() - self.started) * 1000),
        )


def _candidates(value: str) -> list[tuple[str, str]]:
    """Return what the header may mean, with the encoding: decoded first, then as it is.

    One newline at the end is forgiven: the specification's own example has one.
    """
    found = []
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
        found.append((decoded.removesuffix("\n"), "base64"))
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    return [*found, (value, "raw")]


def _note_use(token: InboundToken, *, encoding: str, address: str) -> None:
    """Remember when and how a token was used; its first use ends the ones that it replaces."""
    now = clock.now()
    known_encoding, token.encoding = token.encoding, encoding
    if token.first_used_at is None and token.purpose == InboundToken.Purpose.ACCESS:
        registration.confirm(token)
    is_recent = token.last_used_at is not None and now - token.last_used_at < _USE_NOTED
    if is_recent and known_encoding == encoding and token.last_used_from == address:
        return
    InboundToken.objects.filter(pk=token.pk).update(
        last_used_at=now, last_used_from=address[:64], encoding=encoding
    )
    Connection.objects.filter(pk=token.connection_id).update(last_seen_at=now)


def _asking(request: Request, connection: Connection) -> str | None:
    """Return the party of the from headers; raises Refusal when it is none of this platform's."""
    key = _party(request, "FROM")
    if key is None:
        return None
    if not RemoteParty.objects.active().filter(connection=connection, key=key).exists():
        raise envelope.Refusal(envelope.INVALID, f"OCPI-from: {key} is no party of this connection")
    return key


def _asked(request: Request) -> Operator | None:
    """Return our operator of the to headers; raises Refusal when we have none such."""
    key = _party(request, "TO")
    if key is None:
        return None
    country_code, _, party_id = key.partition("*")
    operator = Operator.objects.filter(country_code__iexact=country_code, party_id__iexact=party_id).first()
    if operator is None:
        raise envelope.Refusal(envelope.CLIENT_ERROR, f"OCPI-to: {key} is no party of this platform")
    return operator


def _party(request: Request, direction: str) -> str | None:
    country_code = request.META.get(f"HTTP_OCPI_{direction}_COUNTRY_CODE", "").strip()
    party_id = request.META.get(f"HTTP_OCPI_{direction}_PARTY_ID", "").strip()
    return f"{country_code}*{party_id}".upper()[:10] if country_code and party_id else None


def _message_id(request: Any, name: str) -> str:
    value = str(request.META.get(f"HTTP_{name.upper().replace('-', '_')}", "")).strip()
    return value[:100] if value and value.isprintable() and value.isascii() else str(uuid.uuid4())


def _shown_url(request: Any) -> str:
    query = "&".join(f"{name}={value}" for name, value in request.GET.items() if name != "token")
    shown = f"{str(request.path)[:700]}?{query[:250]}" if query else str(request.path)[:700]
    return shown.replace("\x00", "")
