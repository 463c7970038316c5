"""Certificates of a simulated 2.x station: real keys, requests and chains that it really looks at (A02, M01 to M07).

What lies in the key store is that of `cpo.simulator.security`; here are the words of 2.x, certificates for vehicles of
both ISO 15118 and what a station asks on behalf of vehicles.
"""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from cpo.simulator.answers import Answer, Payload
from cpo.simulator.security import (
    FACTORY_ORGANIZATION,
    OWN_CHAIN,
    TLS,
    V2G,
    Own,
    fault_of,
    hash_data,
    install,
)
from cpo.simulator.transaction import timestamp

if TYPE_CHECKING:
    from cpo.simulator.v2.charger import Charger

COMBINED, V2G20 = "", "V2G20Certificate"  # a combined certificate has no type
# CertificateSigningUseEnumType -> where its key lies; a combined one is shown to both sides.
PLACES = {
    "ChargingStationCertificate": (TLS,),
    V2G: (V2G,),
    V2G20: (V2G20,),
    COMBINED: (TLS, V2G),
}
TRIGGERS = {
    "SignChargingStationCertificate": "ChargingStationCertificate",
    "SignV2GCertificate": V2G,
    "SignV2G20Certificate": V2G20,
    "SignCombinedCertificate": COMBINED,
}
ROOTS = {"CSMSRootCertificate": "CentralSystemRootCertificate"}  # in the key store
USES = (
    "CSMSRootCertificate", "ManufacturerRootCertificate", "V2GRootCertificate", "MORootCertificate",
    "OEMRootCertificate", OWN_CHAIN,
)  # fmt: skip
_numbers = count(1)


# --- asking


async def ask_for_certificate(station: "Charger", type: str = "ChargingStationCertificate") -> str:
    """Make a key, send its request, return the answer's status (A02.FR.02, .03, .24, .27)."""
    own = Own(_new_key(station, type))
    station.vault.pending[type] = own
    payload: Payload = {"csr": _request(station, own, type)}
    if type:
        payload["certificateType"] = type
    if _speaks_21(station):
        payload["requestId"] = station.vault.request_ids[type] = next(_numbers)
        root = next((root for use, root in station.vault.roots if use == "V2GRootCertificate"), None)
        if root is not None and type in (V2G, V2G20):
            payload["hashRootCertificate"] = hash_data(_hardware(station), root)
    answer = await station.call("SignCertificate", payload)
    station.vault.answers.append(str(answer["status"]))
    return station.vault.answers[-1]


async def ask_for_contract(
    station: "Charger", exi: str, *, action: str = "Install", **fields: Any
) -> Payload:
    """Pass a vehicle's wish for a contract certificate on (M01, M02)."""
    schema = "urn:iso:15118:2:2013:MsgDef" if not fields else "urn:iso:std:iso:15118:-20:CommonMessages"
    payload = {"iso15118SchemaVersion": schema, "action": action, "exiRequest": exi}
    return await station.call("Get15118EVCertificate", payload | fields)


async def authorize_contract(
    station: "Charger", emaid: str, chain: list[x509.Certificate], *, is_central: bool = False
) -> Payload:
    """Present a contract: by its hashes, or by the chain itself where its root is not here (C07.FR.02, .06)."""
    payload: Payload = {"idToken": {"idToken": emaid, "type": "eMAID"}}
    if is_central:
        payload["certificate"] = "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)
    else:
        payload["iso15118CertificateHashData"] = ocsp_data(station, chain)
    return await station.call("Authorize", payload)


async def refresh_status(station: "Charger", chain: list[x509.Certificate]) -> None:
    """Ask for the OCSP answers that vehicles want to see (M06.FR.06, .07)."""
    for asked in ocsp_data(station, chain):
        answer = await station.call("GetCertificateStatus", {"ocspRequestData": asked})
        if answer["status"] == "Accepted":
            station.vault.statuses[asked["serialNumber"]] = answer["ocspResult"]


async def chain_status(station: "Charger", chain: list[x509.Certificate], **sources: list[str]) -> list[str]:
    """Ask about a vehicle's chain by OCSP or CRL, at these addresses (2.1 M07); return the statuses."""
    [(source, urls)] = sources.items()
    named = [
        hash_data(_hardware(station), one, issuer=issuer)
        for one, issuer in zip(chain, chain[1:], strict=False)
    ]
    asked = [{"certificateHashData": one, "source": source.upper(), "urls": urls} for one in named]
    answer = await station.call("GetCertificateChainStatus", {"certificateStatusRequests": asked})
    return [str(one["status"]) for one in answer["certificateStatus"]]


def ocsp_data(station: "Charger", chain: list[x509.Certificate]) -> list[Payload]:
    """Name the certificates of a chain that have a responder, without its root."""
    found = []
    for one, issuer in zip(chain, chain[1:], strict=False):
        url = _responder(one)
        if url:
            found.append(hash_data(_hardware(station), one, issuer=issuer) | {"responderURL": url})
    return found


def triggered(station: "Charger", message: str) -> Callable[[], Awaitable[Any]] | None:
    """Give what TriggerMessage asks for, None for another message and for what 2.0.1 does not know (A02.FR.22, .23)."""
    if message not in TRIGGERS or (message == "SignV2G20Certificate" and not _speaks_21(station)):
        return None
    return lambda: ask_for_certificate(station, TRIGGERS[message])


# --- what the central system asks


async def certificate_signed(station: "Charger", payload: Payload) -> Answer | Payload:
    """Keep a chain that fits a key of ours and leads to our root (A02.FR.06 to .08, .26)."""
    vault, type = station.vault, payload.get("certificateType", COMBINED)
    own, fault = vault.pending.get(type), ""
    try:
        chain = x509.load_pem_x509_certificates(payload["certificateChain"].encode())
    except ValueError:
        chain, fault = [], "not a certificate"
    if payload.get("requestId") != vault.request_ids.get(type):
        fault = "an unknown requestId"
    elif len(payload["certificateChain"]) > int(_value(station, "SecurityCtrlr", "MaxCertificateChainSize")):
        fault = "too long"
    elif chain:
        fault = fault_of(vault, own, chain, PLACES[type][-1])
    if fault:
        return Answer({"status": "Rejected"}, then=lambda: _tell_invalid(station, fault))
    assert own is not None
    own.chain = chain
    for place in PLACES[type]:
        vault.own[place] = own
    vault.pending.pop(type)
    if type == "ChargingStationCertificate":
        return {"status": "Accepted"}
    return Answer({"status": "Accepted"}, then=lambda: refresh_status(station, _to_root(station, chain)))


async def install_certificate(station: "Charger", payload: Payload) -> Payload:
    """Keep a root, if it is one and there is room (M05.FR.02, .06, .07, .17)."""
    use = payload["certificateType"]
    return install(_hardware(station), payload | {"certificateType": ROOTS.get(use, use)})


async def delete_certificate(station: "Charger", payload: Payload) -> Payload:
    """Delete what these hashes name; never the certificate of the connection itself (M04.FR.02, .04, .06)."""
    asked = payload["certificateHashData"]
    algorithm, vault, hardware = asked["hashAlgorithm"], station.vault, _hardware(station)
    for entry in vault.roots:
        if _is_named(asked, hash_data(hardware, entry[1], algorithm=algorithm)):
            vault.roots.remove(entry)
            return {"status": "Accepted"}
    for place, own in list(vault.own.items()):
        for leaf, issuer in zip(own.chain[:1], _to_root(station, own.chain)[1:2], strict=False):
            if _is_named(asked, hash_data(hardware, leaf, issuer=issuer, algorithm=algorithm)):
                if own is vault.own.get(TLS):
                    return {"status": "Failed"}
                vault.own.pop(place)
                return {"status": "Accepted"}
    return {"status": "NotFound"}


async def get_installed_certificate_ids(station: "Charger", payload: Payload) -> Payload:
    """Tell roots, and chains for vehicles with what stands above their leaf as children (M03.FR.02 to .05)."""
    wanted, hardware = payload.get("certificateType") or USES, _hardware(station)
    found: list[Payload] = [
        {"certificateType": use, "certificateHashData": hash_data(hardware, root)}
        for use in wanted
        for kept, root in station.vault.roots
        if kept == ROOTS.get(use, use)
    ]
    if OWN_CHAIN in wanted:
        found += [_chain(station, own) for place in (V2G, V2G20) if (own := station.vault.own.get(place))]
    if not found:
        return {"status": "NotFound"}
    return {"status": "Accepted", "certificateHashDataChain": found}


# --- inside


def _chain(station: "Charger", own: Own) -> Payload:
    path, hardware = _to_root(station, own.chain), _hardware(station)
    named = [
        hash_data(hardware, one, issuer=path[place + 1] if place + 1 < len(path) else None)
        for place, one in enumerate(own.chain)
    ]
    told: Payload = {"certificateType": OWN_CHAIN, "certificateHashData": named[0]}
    return told | ({"childCertificateHashData": named[1:5]} if named[1:] else {})


def _to_root(station: "Charger", chain: list[x509.Certificate]) -> list[x509.Certificate]:
    """Add the root above a chain, if it is here."""
    above = (root for _, root in station.vault.roots if root.subject == chain[-1].issuer)
    return [*chain, *list(above)[:1]]


def _new_key(station: "Charger", type: str) -> Any:
    if station.vault.is_rsa and type == "ChargingStationCertificate":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP521R1() if type == V2G20 else ec.SECP256R1())


def _request(station: "Charger", own: Own, type: str) -> str:
    """Return the PEM of a request with the station's name, for vehicles that of its controller."""
    vault = station.vault
    name = _value(station, "ISO15118Ctrlr", "SeccId") if type in (V2G, V2G20) else ""
    organization = vault.organization or _value(station, "SecurityCtrlr", "OrganizationName")
    subject = [
        x509.NameAttribute(NameOID.COMMON_NAME, vault.common_name or name or station.station_id),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization or FACTORY_ORGANIZATION),
    ]
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    return csr.sign(own.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _responder(certificate: x509.Certificate) -> str:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return ""
    urls = (one.access_location for one in access if one.access_method == AuthorityInformationAccessOID.OCSP)
    return next((url.value for url in urls if isinstance(url, x509.UniformResourceIdentifier)), "")


async def _tell_invalid(station: "Charger", fault: str) -> None:
    """Report the certificate that was refused (A02.FR.07)."""
    if station.vault.tells_events:
        event = {"type": "InvalidChargingStationCertificate", "timestamp": timestamp(station.clock.now())}
        await station.call("SecurityEventNotification", event | {"techInfo": fault})


def _is_named(asked: Payload, told: Payload) -> bool:
    return all(str(asked[name]).lower() == str(value).lower() for name, value in told.items())


def _value(station: "Charger", component: str, name: str) -> str:
    return station.model_of[component, 0, name].value


def _speaks_21(station: "Charger") -> bool:
    return station.wire.subprotocol == "ocpp2.1"


def _hardware(station: "Charger") -> Any:
    """The key store is that of 1.6 as well."""
    return station
