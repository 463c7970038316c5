"""The security profile of a simulated station: raised on request, with its conditions and its way back.

1.6 security white paper A05. `Station.secure_url` is where it finds TLS; without one it has none.
"""

import ssl
import tempfile
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from cpo.simulator.answers import Answer, Payload
from cpo.simulator.configuration import Key
from cpo.simulator.security import TLS

if TYPE_CHECKING:
    from cpo.simulator.charger import Charger
    from cpo.simulator.station import Station

KEY = "SecurityProfile"
ROOT = "CentralSystemRootCertificate"


def keys(*, has_password: bool) -> dict[str, Key]:
    """The key of chapter 7; a station comes without TLS."""
    return {KEY: Key("1" if has_password else "0", number=True)}


def change(charger: "Charger", value: str) -> Answer | Payload:
    """Take a higher profile if its conditions are met, and connect with it (A05.FR.01 to .07)."""
    if not value.isdigit() or not _may(charger, int(value)):
        return {"status": "Rejected"}
    return Answer({"status": "Accepted"}, then=lambda: switch(charger, value))


async def switch(charger: "Charger", value: str) -> None:
    """Connect with the new profile; with the former one where that fails (A05.FR.08)."""
    former = charger.configuration[KEY].value
    await charger.wire.close()
    charger.configuration[KEY].value = value
    try:
        await charger.come_up()
    except Exception:  # noqa: BLE001 - whatever it was, the way back is the same
        charger.configuration[KEY].value = former
        await charger.come_up()


def options(station: "Station") -> dict[str, Any]:
    """Give what opening the socket takes: where to, with which TLS, with which password."""
    profile = int(station.configuration[KEY].value)
    if profile < 2 or not station.secure_url:
        return {"password": station.password}
    password = station.password if profile == 2 else None
    return {"base": station.secure_url, "password": password, "tls": context(station, with_own=profile == 3)}


def context(station: "Station", *, with_own: bool) -> ssl.SSLContext:
    """Trust the roots that were installed and no other; show the station's own certificate if asked to."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for use, root in station.vault.roots:
        if use == ROOT:
            made.load_verify_locations(cadata=root.public_bytes(Encoding.PEM).decode())
    own = station.vault.own.get(TLS)
    if with_own and own is not None:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(own.chain_pem + own.key_pem)
            file.flush()
            made.load_cert_chain(file.name)
    return made


def _may(charger: "Charger", profile: int) -> bool:
    is_known = 0 < profile <= 3 and profile > int(charger.configuration[KEY].value)
    has_password = profile == 3 or bool(charger.password)
    has_root = profile < 2 or any(use == ROOT for use, _ in charger.vault.roots)
    has_own = profile < 3 or TLS in charger.vault.own
    return is_known and has_password and has_root and has_own
