"""The table of OCPI versions: the only file of roaming with version numbers. A version is added by a row.

Each row names the serializers and the modules that we serve. A partner and we speak the newest version of both.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from django.conf import settings

from roaming.ocpi import v211, v221, v230

SENDER, RECEIVER = "SENDER", "RECEIVER"


@dataclass(frozen=True, slots=True)
class Module:
    """A module that we serve: OCPI identifier, our interface role, and its path below /ocpi/."""

    identifier: str
    role: str
    path: str


MODULES = (
    Module("credentials", SENDER, "{version}/credentials"),
    Module("locations", SENDER, "cpo/{version}/locations"),
    Module("sessions", SENDER, "cpo/{version}/sessions"),
    Module("cdrs", SENDER, "cpo/{version}/cdrs"),
    Module("tariffs", SENDER, "cpo/{version}/tariffs"),
    Module("tokens", RECEIVER, "cpo/{version}/tokens"),
)


@dataclass(frozen=True)
class Version:
    """One OCPI version: its number, its serializers, what we serve in it."""

    number: str
    shapes: ModuleType
    modules: tuple[Module, ...] = MODULES
    has_parties: bool = True  # several behind one connection: roles, routing headers, owners named in objects
    has_fractions: bool = True  # of seconds, in DateTime
    has_credits: bool = True  # CDRs that take back another

    @cached_property
    def location(self) -> Any:
        return self.shapes.LocationSerializer

    @cached_property
    def evse(self) -> Any:
        return self.shapes.EvseSerializer

    @cached_property
    def connector(self) -> Any:
        return self.shapes.ConnectorSerializer

    @cached_property
    def tariff(self) -> Any:
        return self.shapes.TariffSerializer

    @cached_property
    def session(self) -> Any:
        return self.shapes.SessionSerializer

    @cached_property
    def cdr(self) -> Any:
        return self.shapes.CdrSerializer

    @cached_property
    def cdr_token(self) -> Any:
        return self.shapes.CdrTokenSerializer

    @cached_property
    def token(self) -> Any:
        return self.shapes.TokenSerializer

    @cached_property
    def credentials(self) -> Any:
        return self.shapes.CredentialsSerializer

    @property
    def url(self) -> str:
        """Return the absolute URL of the version's details."""
        return absolute(f"{self.number}/")

    def endpoints(self) -> list[dict[str, str]]:
        """Return version_information_endpoint#Endpoint objects; URLs end with `/` so that both ways to append work."""
        return [
            {"identifier": module.identifier}
            | ({"role": module.role} if self.has_parties else {})
            | {
                "url": absolute(module.path.format(version=self.number) + "/"),
            }
            for module in self.modules
        ]


TABLE = {
    version.number: version
    for version in (
        Version("2.1.1", v211, has_parties=False, has_fractions=False, has_credits=False),
        Version("2.2.1", v221),
        Version("2.3.0", v230),
    )
}  # oldest first
OLDEST, NEWEST = next(iter(TABLE.values())), next(reversed(TABLE.values()))


def absolute(path: str) -> str:
    """Return the absolute URL of a path below /ocpi/."""
    return f"{settings.PUBLIC_URL}/ocpi/{path}"


def versions_url() -> str:
    """Return the URL that we give to partners."""
    return absolute("versions/")


def of(number: str) -> Version:
    """Return a version of the table; the newest for one that is no longer there."""
    return TABLE.get(number, NEWEST)


def newest_of(numbers: Iterable[str]) -> Version | None:
    """Return the newest version that is in the list and in our table."""
    offered = set(numbers)
    return next((version for version in reversed(TABLE.values()) if version.number in offered), None)
