"""A contract certificate pool over real HTTP on loopback, in both styles."""

import base64
import json
from typing import Any

from tests.authority_server import JSON, Reply


class Pool:
    """Has the contracts that a test gives it, and remembers what it was asked since."""

    def __init__(self) -> None:
        self.has()

    def has(self, *emaids: str) -> None:
        """Have these contracts from now on."""
        self.emaids = emaids
        self.asked: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.fails_with = 0
        self.body: bytes | None = None  # what is answered instead

    @staticmethod
    def response(emaid: str) -> str:
        """Give what a vehicle gets for this contract."""
        return base64.b64encode(f"contract {emaid}".encode()).decode()

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """Answer one request."""
        self.asked.append((json.loads(body), headers))
        if self.fails_with:
            return self.fails_with, {}, b""
        if self.body is not None:
            return 200, JSON, self.body
        if not self.emaids:
            return 404, {}, b""
        found: dict[str, Any]
        if path == "/v1/ccp/signedContractData":
            parts = [{"emaid": one, "certificateInstallationRes": self.response(one)} for one in self.emaids]
            found = {"CCPResponse": {"emaidContent": [{"messageDef": part} for part in parts]}}
        else:
            found = {"contracts": [{"emaid": one, "exi_response": self.response(one)} for one in self.emaids]}
        return 200, JSON, json.dumps(found).encode()
