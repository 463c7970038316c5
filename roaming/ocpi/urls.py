"""The routes of OCPI in all versions: `/ocpi/versions` to start with, `/ocpi/cpo/<version>/…` for what we own.

Paths are matched segment by segment on what the client really sent: doubled and trailing slashes count for nothing
(clients join URLs in both ways, and a redirect would lose body and token), and an escaped `/` stays inside its id.
Whatever matches nothing is answered with an envelope too.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

from django.http import HttpRequest, HttpResponseBase
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

from roaming.ocpi import versions
from roaming.ocpi.views import cdrs, credentials, locations, sessions, tariffs, tokens
from roaming.ocpi.views.versions import DetailsView, NowhereView, VersionsView

# Pattern -> view. `<version>` must be in the table of versions; other names are handed to the view.
ROUTES: tuple[tuple[str, Any], ...] = (
    ("versions", VersionsView),
    ("<version>", DetailsView),
    ("<version>/credentials", credentials.CredentialsView),
    ("cpo/<version>/locations", locations.LocationsView),
    ("cpo/<version>/locations/<uid>", locations.LocationView),
    ("cpo/<version>/locations/<uid>/<evse_uid>", locations.EvseView),
    ("cpo/<version>/locations/<uid>/<evse_uid>/<connector_id>", locations.ConnectorView),
    ("cpo/<version>/sessions", sessions.SessionsView),
    ("cpo/<version>/sessions/<uid>", sessions.SessionView),
    ("cpo/<version>/sessions/<uid>/charging_preferences", sessions.ChargingPreferencesView),
    ("cpo/<version>/cdrs", cdrs.CdrsView),
    ("cpo/<version>/cdrs/<uid>", cdrs.CdrView),
    ("cpo/<version>/tariffs", tariffs.TariffsView),
    ("cpo/<version>/tariffs/<uid>", tariffs.TariffView),
    ("cpo/<version>/tokens/<country_code>/<party_id>/<uid>", tokens.TokenView),
)
_SPLIT = tuple((pattern.split("/"), view.as_view()) for pattern, view in ROUTES)
_NOWHERE = NowhereView.as_view()


@csrf_exempt
def dispatch(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    """Find the view of a path and call it with the version's row and the names of the path."""
    segments = _segments(request, rest)
    for pattern, view in _SPLIT:
        names = _match(pattern, segments)
        if names is not None:
            number = names.pop("version", versions.OLDEST.number)  # what all of them can read
            here = versions.absolute("/".join(quote(segment, safe="") for segment in segments))
            answer: HttpResponseBase = view(request, version=versions.TABLE[number], here=here, **names)
            return answer
    nowhere: HttpResponseBase = _NOWHERE(request, version=versions.OLDEST)
    return nowhere


def _segments(request: HttpRequest, rest: str) -> list[str]:
    """Return the path below /ocpi/ in segments, each unescaped by itself where the server kept the raw path."""
    raw = getattr(request, "scope", {}).get("raw_path")
    if isinstance(raw, bytes):
        path = raw.partition(b"?")[0].decode("ascii", errors="replace")
        segments = [unquote(segment) for segment in path.split("/") if segment]
        return segments[1:] if segments[:1] == ["ocpi"] else segments
    return [segment for segment in rest.split("/") if segment]


def _match(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    """Return the named segments if the path fits the pattern."""
    if len(pattern) != len(segments) or any("\x00" in segment for segment in segments):
        return None
    names: dict[str, str] = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("<"):
            names[expected[1:-1]] = segment
        elif expected != segment:
            return None
    return None if names.get("version", versions.NEWEST.number) not in versions.TABLE else names


urlpatterns = [re_path(r"^(?P<rest>(?s:.*))\Z", dispatch)]  # any path, with line breaks too
