"""The security profile of a simulated station: raised on request, with its conditions and its way back.

1.6 security white paper A05. `Station.secure_url` is where it finds TLS; without one it has none.
"""

import ssl
import tempfile
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from cpo.simulator.answers import Answer, Payload
from cpo.simulator.configuration import Key
from cpo.simulator.security import TLS, Own

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
    if charger.memory is not None:
        charger.memory.save(charger)


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


def remembered(charger: "Charger") -> dict[str, Any]:
    """Give what a loss of power must not take: profile, password, roots, the station's own certificate."""
    own = charger.vault.own.get(TLS)
    return {
        "profile": charger.configuration[KEY].value,
        "password": charger.password,
        "roots": [[use, root.public_bytes(Encoding.PEM).decode()] for use, root in charger.vault.roots],
        "own": [own.key_pem, own.chain_pem] if own is not None else None,
    }


def restore(charger: "Charger", kept: dict[str, Any]) -> None:
    """Put it back."""
    if not kept:
        return
    charger.configuration[KEY].value, charger.password = kept["profile"], kept["password"]
    charger.vault.roots = [(use, x509.load_pem_x509_certificate(pem.encode())) for use, pem in kept["roots"]]
    if kept["own"]:
        key, chain = (text.encode() for text in kept["own"])
        charger.vault.own[TLS] = Own(load_pem_private_key(key, None), x509.load_pem_x509_certificates(chain))


def _may(charger: "Charger", profile: int) -> bool:
    is_known = 0 < profile <= 3 and profile > int(charger.configuration[KEY].value)
    has_password = profile == 3 or bool(charger.password)
    has_root = profile < 2 or bool(charger.secure_url) and any(use == ROOT for use, _ in charger.vault.roots)
    has_own = profile < 3 or TLS in charger.vault.own
    return is_known and has_password and has_root and has_own
