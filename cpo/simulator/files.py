"""Logs and firmware of a simulated station: really uploaded, really downloaded and checked (1.6 sections 4.4 to 5.19).

`charger.files` holds its habits; tests change them to make a station that fails, keeps quiet or never says Installed.
"""

import asyncio
import base64
import http.client
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from cpo.simulator.answers import Answer, Payload, Reaction

if TYPE_CHECKING:
    from cpo.simulator.charger import Charger

MARK = (
    b"OPENCPO-FIRMWARE "  # how an image for simulated stations begins, followed by its version and a line end
)
LONGEST_WAIT_S = 5  # a simulated station does not wait longer for the wanted moment or between tries


@dataclass
class Habits:
    """How this station goes about files, and what it did."""

    upload_by: str = "PUT"  # or POST, or FORM
    log: bytes = b""  # what is uploaded; empty: a log made up on the spot
    has_log: bool = True
    knows_extension: bool = True  # GetLog and SignedUpdateFirmware
    tells: bool = True  # sends status notifications
    tells_installed: bool = True
    tells_more: bool = False  # as 2.x does: what is scheduled, given up, and that it reboots
    trusted_root: str = ""  # PEM; empty: any signing certificate that is valid today
    answers: list[int] = field(default_factory=list)  # HTTP statuses that it was given
    last_log: tuple[str, int | None] = ("Idle", None)
    last_firmware: tuple[str, int | None] = ("Idle", None)
    task: "asyncio.Task[Any] | None" = None  # the transfer that is under way


class Failed(Exception):
    """A transfer came to nothing."""


# --- logs


async def get_diagnostics(charger: "Charger", payload: Payload) -> Answer | Payload:
    """Name the file and upload it, or say by silence about the name that there is none (5.9)."""
    if not charger.files.has_log:
        return {}
    name = f"{charger.station_id}-diagnostics.log"
    upload = _Upload(charger, payload["location"], name, payload.get("retries", 0), None)
    return Answer({"fileName": name}, then=upload.run)


async def get_log(charger: "Charger", payload: Payload) -> Answer | Payload:
    """The same with a request id; an upload under way is given up for it (white paper N01)."""
    if not charger.files.knows_extension:
        return await _unknown(charger, payload)
    if not charger.files.has_log:
        return {"status": "Rejected"}
    busy = charger.files.task is not None and not charger.files.task.done()
    if busy and charger.files.task is not None:
        charger.files.task.cancel()
    name = f"{charger.station_id}-{payload['logType']}.log"
    location = payload["log"]["remoteLocation"]
    upload = _Upload(charger, location, name, payload.get("retries", 0), payload["requestId"])
    upload.replaces = charger.files.last_log[1] if busy and charger.files.tells_more else None
    status = "AcceptedCanceled" if busy else "Accepted"
    return Answer({"status": status, "filename": name}, then=upload.run)


async def tell_log(charger: "Charger", status: str, request_id: int | None) -> None:
    """Send the status notification that fits the request: with a request id that of the extension."""
    charger.files.last_log = (status, request_id)
    if not charger.files.tells:
        return
    if request_id is None:
        await charger.call("DiagnosticsStatusNotification", {"status": status})
        return
    word = {"UploadFailed": "UploadFailure"}.get(status, status)
    await charger.call("LogStatusNotification", {"status": word, "requestId": request_id})


async def trigger_log(charger: "Charger") -> None:
    """Say again what goes on, or Idle when nothing does (N01.FR.12)."""
    status, request_id = charger.files.last_log
    idle = status != "Uploading"
    await tell_log(charger, "Idle" if idle else status, None if idle else request_id)


class _Upload:
    """One log on its way out."""

    def __init__(
        self, charger: "Charger", location: str, name: str, retries: int, request_id: int | None
    ) -> None:
        self.charger, self.location, self.name = charger, location, name
        self.retries, self.request_id = retries, request_id
        self.replaces: int | None = None  # request that was given up for this one

    async def run(self) -> None:
        self.charger.files.task = asyncio.current_task()
        if self.replaces is not None:
            await tell_log(self.charger, "AcceptedCanceled", self.replaces)  # N01.FR.20
        await tell_log(self.charger, "Uploading", self.request_id)
        for _ in range(self.retries + 1):
            try:
                await asyncio.to_thread(self._send)
            except (OSError, Failed, http.client.HTTPException):
                continue
            await tell_log(self.charger, "Uploaded", self.request_id)
            return
        await tell_log(self.charger, "UploadFailed", self.request_id)

    def _send(self) -> None:
        habits = self.charger.files
        body = habits.log or self._written()
        headers = {"Content-Type": "text/plain"}
        if habits.upload_by == "FORM":
            body, headers["Content-Type"] = _form(self.name, body)
        method = "PUT" if habits.upload_by == "PUT" else "POST"
        status, _, _ = request(method, self.location, body, headers)
        habits.answers.append(status)
        if status >= 300:
            raise Failed(f"HTTP {status}")

    def _written(self) -> bytes:
        lines = [f"{frame.at.isoformat()} {frame.direction} {frame.text}" for frame in self.charger.frames]
        return "\n".join([f"log of {self.charger.station_id}", *lines, ""]).encode()


# --- firmware


async def update_firmware(charger: "Charger", payload: Payload) -> Answer:
    """Fetch and install without a check of the source (5.19)."""
    update = _Update(charger, payload["location"], payload["retrieveDate"], payload.get("retries", 0))
    return Answer({}, then=update.run)


async def signed_update_firmware(charger: "Charger", payload: Payload) -> Answer | Payload:
    """Look at the certificate, then fetch, check and install (white paper L01)."""
    if not charger.files.knows_extension:
        return await _unknown(charger, payload)
    wanted = payload["firmware"]
    if not _is_certificate_good(wanted["signingCertificate"], charger.files.trusted_root):
        alarm = partial(_alarm, charger, "InvalidFirmwareSigningCertificate")
        return Answer({"status": "InvalidCertificate"}, then=alarm)
    busy = charger.files.task is not None and not charger.files.task.done()
    if busy and charger.files.task is not None:
        charger.files.task.cancel()
    update = _Update(
        charger,
        wanted["location"],
        wanted["retrieveDateTime"],
        payload.get("retries", 0),
        request_id=payload["requestId"],
        install_at=wanted.get("installDateTime"),
        certificate=wanted["signingCertificate"],
        signature=wanted["signature"],
    )
    return Answer({"status": "AcceptedCanceled" if busy else "Accepted"}, then=update.run)


async def tell_firmware(charger: "Charger", status: str, request_id: int | None) -> None:
    """Send the status notification that fits the request."""
    charger.files.last_firmware = (status, request_id)
    if not charger.files.tells or (status == "Installed" and not charger.files.tells_installed):
        return
    if request_id is None:
        await charger.call("FirmwareStatusNotification", {"status": status})
        return
    payload = {"status": status, "requestId": request_id}
    await charger.call("SignedFirmwareStatusNotification", payload)


async def trigger_firmware(charger: "Charger") -> None:
    """Say the last word again, or Idle once it is installed (L01.FR.28, L01.FR.29)."""
    status, request_id = charger.files.last_firmware
    idle = status in ("Installed", "Idle")
    await tell_firmware(charger, "Idle" if idle else status, None if idle else request_id)


class _Update:
    """One firmware on its way in."""

    def __init__(
        self,
        charger: "Charger",
        location: str,
        retrieve_at: str,
        retries: int,
        *,
        request_id: int | None = None,
        install_at: str | None = None,
        certificate: str = "",
        signature: str = "",
    ) -> None:
        self.charger, self.location, self.retrieve_at, self.retries = charger, location, retrieve_at, retries
        self.request_id, self.install_at = request_id, install_at
        self.certificate, self.signature = certificate, signature

    async def run(self) -> None:
        self.charger.files.task = asyncio.current_task()
        if self.charger.files.tells_more and datetime.fromisoformat(self.retrieve_at) > datetime.now(UTC):
            await self._tell("DownloadScheduled")  # L01.FR.13
        await _wait_until(self.retrieve_at)
        image = await self._fetch()
        if image is None:
            return
        if self.request_id is not None:
            if not _is_signed(image, self.certificate, self.signature):
                await self._tell("InvalidSignature")
                await _alarm(self.charger, "InvalidFirmwareSignature")
                return
            await self._tell("SignatureVerified")
        if self.install_at is not None:
            await self._tell("InstallScheduled")
            await _wait_until(self.install_at)
        await self._install(image)

    async def _fetch(self) -> bytes | None:
        for _ in range(self.retries + 1):
            await self._tell("Downloading")
            try:
                image = await asyncio.to_thread(self._get)
            except (OSError, Failed, http.client.HTTPException):
                continue
            await self._tell("Downloaded")
            return image
        await self._tell("DownloadFailed")
        return None

    async def _install(self, image: bytes) -> None:
        for transaction in list(self.charger.running.values()):  # L01.FR.06: sessions end first
            await transaction.ended.wait()
        await self._tell("Installing")
        if not image.startswith(MARK):
            await self._tell("InstallationFailed")
            return
        self.charger.firmware = image[len(MARK) :].partition(b"\n")[0].decode(errors="replace").strip()
        if self.charger.files.tells_more:
            await self._tell("InstallRebooting")  # L01.FR.32 (a)
        await self.charger.reboot("FirmwareUpdate")
        await self._tell("Installed")
        if self.charger.files.tells_more:
            await _alarm(self.charger, "FirmwareUpdated")  # L01.FR.31

    async def _tell(self, status: str) -> None:
        await tell_firmware(self.charger, status, self.request_id)

    def _get(self) -> bytes:
        status, headers, body = request("GET", self.location)
        self.charger.files.answers.append(status)
        if status != 200 or len(body) != int(headers.get("content-length", -1)):
            raise Failed(f"HTTP {status}")
        return body


# --- inside


def request(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Do one HTTP request: status, headers in lower case, body (blocking)."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=30)
    try:
        connection.request(method, parts.path, body=body, headers=headers or {})
        answer = connection.getresponse()
        found = {key.lower(): value for key, value in answer.getheaders()}
        return answer.status, found, answer.read()
    finally:
        connection.close()


def _form(name: str, body: bytes) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: text/plain\r\n\r\n"
    )
    content = head.encode() + body + f"\r\n--{boundary}--\r\n".encode()
    return content, f"multipart/form-data; boundary={boundary}"


async def _unknown(charger: "Charger", payload: Payload) -> Payload:
    from cpo.simulator.reactions import not_implemented

    return await not_implemented(charger, payload)


async def _alarm(charger: "Charger", kind: str) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    await charger.call("SecurityEventNotification", {"type": kind, "timestamp": now})


async def _wait_until(moment: str) -> None:
    left = datetime.fromisoformat(moment) - datetime.now(UTC)
    await asyncio.sleep(max(0, min(left.total_seconds(), LONGEST_WAIT_S)))


def _is_certificate_good(pem: str, root: str) -> bool:
    try:
        certificate = x509.load_pem_x509_certificates(pem.encode())[0]
        if root:
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(root.encode()))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc


def _is_signed(image: bytes, pem: str, signature: str) -> bool:
    key = x509.load_pem_x509_certificates(pem.encode())[0].public_key()
    raw = base64.b64decode(signature)
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(raw, image, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
            key.verify(raw, image, pss, hashes.SHA256())
        else:
            return False
    except InvalidSignature:
        return False
    return True


REACTIONS: dict[str, Reaction] = {
    "GetDiagnostics": get_diagnostics,
    "GetLog": get_log,
    "SignedUpdateFirmware": signed_update_firmware,
    "UpdateFirmware": update_firmware,
}
