"""What is peculiar about a partner's platform, as data: a new quirk is a row here, never an `if` elsewhere."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """How to talk to one kind of platform.

    `auth_encoding`: of the token in the Authorization header (OCPI 2.2.1 transport_and_format#Authorization header).
    `joins_with_slash`: our requests go to `{endpoint}/{id}` although the endpoint ends without a slash.
    `parallel`: requests that may be on the way at once. `exists_words`: in a 2xxx message, they mean that the CDR is
    there already.
    """

    name: str
    auth_encoding: str = "auto"  # auto: base64 first, raw after a 401
    joins_with_slash: bool = True
    sends_routing_headers: bool = True
    parallel: int = 4
    exists_words: tuple[str, ...] = ("exist", "duplicate", "already")


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("standard"),
        Profile("raw token", auth_encoding="raw"),
        Profile("one at a time", parallel=1),
        Profile("no routing headers", sends_routing_headers=False),
    )
}


def of(name: str) -> Profile:
    """Return the profile with this name; the standard one for a name that is gone."""
    return PROFILES.get(name, PROFILES["standard"])
