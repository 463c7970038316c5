"""Steps that roaming tests share: registering, and finding the platform's row for a partner."""

from roaming import registration
from roaming.models import Connection
from tests.emsp import Partner


def register(url: str, partner: Partner) -> Partner:
    """Let a partner register at the platform with a fresh token A."""
    _, token_a = registration.issue_token_a(partner.name)
    partner.register(f"{url}/ocpi/versions", token_a)
    return partner


def connection_of(partner: Partner) -> Connection:
    """Return the platform's row for a partner."""
    return Connection.objects.get(name=partner.name)
