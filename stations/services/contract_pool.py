"""A contract certificate pool that is asked over HTTP, in one of two styles (docs/operations.md).

Its address goes through the guard: no private network unless INTEGRATIONS_ALLOW_PRIVATE_IPS, no redirects, bounded in
time (a vehicle of ISO 15118-2 waits five seconds) and size. What passes through is personal: logs do not have it.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings

from stations.services import guarded_http
from stations.services.contracts import ContractWish, Offer, PoolUnavailable

OPCP = "/v1/ccp/signedContractData"  # of the Open Plug&Charge Protocol


class HttpPool:
    """See CONTRACT_POOL_URL, _STYLE, _TOKEN and _TIMEOUT_S."""

    def exchange(self, wish: ContractWish) -> Sequence[Offer]:
        """Ask the pool; 204 and 404 mean that it has nothing for this vehicle."""
        path, body, read = STYLES[settings.CONTRACT_POOL_STYLE]
        answer = _ask(path, body(wish))
        if answer.status in (204, 404):
            return []
        if answer.status != 200:
            raise PoolUnavailable(f"it answered {answer.status}")
        try:
            return read(json.loads(answer.body))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise PoolUnavailable("its answer cannot be read") from error


def _ask(path: str, body: dict[str, Any]) -> guarded_http.Answer:
    base = settings.CONTRACT_POOL_URL.rstrip("/")
    if not base:
        raise PoolUnavailable("CONTRACT_POOL_URL is not set")
    headers = {"accept": "application/json", "content-type": "application/json"}
    if settings.CONTRACT_POOL_TOKEN:
        headers["authorization"] = f"Bearer {settings.CONTRACT_POOL_TOKEN}"
    try:
        return guarded_http.ask(
            guarded_http.GUARDED,
            "POST",
            f"{base}{path}",
            content=json.dumps(body).encode(),
            headers=headers,
            timeout_s=settings.CONTRACT_POOL_TIMEOUT_S,
        )
    except guarded_http.Unreachable as error:
        raise PoolUnavailable(str(error)) from error


def _json_body(wish: ContractWish) -> dict[str, Any]:
    body: dict[str, Any] = {
        "action": wish.action, "schema_version": wish.schema_version, "exi_request": wish.request,
    }  # fmt: skip
    if wish.most is not None:
        body["maximum_contracts"] = wish.most
    return body | ({"prioritized_emaids": list(wish.emaids)} if wish.emaids else {})


def _read_json(told: Any) -> list[Offer]:
    return [Offer(str(one["exi_response"]), str(one.get("emaid") or "")) for one in told["contracts"]]


def _opcp_body(wish: ContractWish) -> dict[str, Any]:
    return {"certificateInstallationReq": wish.request, "xsdMsgDefNamespace": wish.schema_version}


def _read_opcp(told: Any) -> list[Offer]:
    found = [one["messageDef"] for one in told["CCPResponse"]["emaidContent"]]
    return [Offer(str(one["certificateInstallationRes"]), str(one.get("emaid") or "")) for one in found]


Style = tuple[str, Callable[[ContractWish], dict[str, Any]], Callable[[Any], list[Offer]]]
STYLES: dict[str, Style] = {
    "json": ("", _json_body, _read_json),
    "opcp": (OPCP, _opcp_body, _read_opcp),
}
