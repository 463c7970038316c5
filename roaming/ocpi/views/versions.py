"""Versions and their details (OCPI 2.2.1 version_information_endpoint): where every connection starts."""

from rest_framework.request import Request
from rest_framework.response import Response

from roaming.ocpi import versions
from roaming.ocpi.base import OcpiView
from roaming.ocpi.envelope import Missing, answer


class VersionsView(OcpiView):
    """GET versions."""

    module = "versions"
    is_functional = False

    def get(self, request: Request, **_names: str) -> Response:
        return answer([{"version": v.number, "url": v.url} for v in versions.TABLE.values()])


class DetailsView(OcpiView):
    """GET the endpoints of one version."""

    module = "versions"
    is_functional = False

    def get(self, request: Request, **_names: str) -> Response:
        return answer({"version": self.version.number, "endpoints": self.version.endpoints()})


class NowhereView(OcpiView):
    """A path that nothing answers to: 404 in an envelope, for those who may know."""

    module = "unknown"
    is_functional = False

    def get(self, request: Request, **_names: str) -> Response:
        raise Missing(message="no such endpoint")

    post = put = patch = delete = get
