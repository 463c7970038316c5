"""The display of the simulated station: messages that lie there (block O), tariff and cost that a driver reads (I)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cpo.simulator.answers import Answer, Payload
from cpo.simulator.v2.transaction import Transaction
from cpo.simulator.v2.variables import Key, Variable

if TYPE_CHECKING:
    from cpo.simulator.v2.charger import Charger

ACCEPTED = {"status": "Accepted"}
FORMATS = ("ASCII", "UTF8", "URI", "QRCODE")
PRIORITIES = ("AlwaysFront", "InFront", "NormalCycle")
STATES = ("Charging", "Faulted", "Idle", "Unavailable", "Suspended", "Discharging")
LANGUAGES = ("en", "de", "nl")
MOST = 20  # messages at once
PART = 4  # of them in a NotifyDisplayMessages
COUNT: Key = ("DisplayMessageCtrlr", 0, "DisplayMessages")


@dataclass
class Display:
    """What lies there by its id, and what drivers were told, by transaction."""

    messages: dict[int, Payload] = field(default_factory=dict)
    tariffs: dict[str, str] = field(default_factory=dict)  # by token
    news: dict[str, str] = field(default_factory=dict)

    def forget(self, transaction_id: str) -> None:
        """Drop what was for a transaction that is over (O02.FR.02)."""
        gone = [key for key, info in self.messages.items() if info.get("transactionId") == transaction_id]
        for key in gone:
            del self.messages[key]

    def expire(self, now: datetime) -> None:
        """Drop what is over (O01.FR.07)."""
        over = [
            key
            for key, info in self.messages.items()
            if "endDateTime" in info and datetime.fromisoformat(info["endDateTime"]) <= now
        ]
        for key in over:
            del self.messages[key]


def variables() -> dict[Key, Variable]:
    """What the station says of its display, and that it shows prices."""
    controller = "DisplayMessageCtrlr"
    return {
        (controller, 0, "Available"): Variable("true", "boolean", readonly=True),
        COUNT: Variable("0", "integer", readonly=True),
        (controller, 0, "Enabled"): Variable("true", "boolean"),
        (controller, 0, "Language"): Variable(LANGUAGES[0], "OptionList"),
        (controller, 0, "SupportedFormats"): Variable(",".join(FORMATS), "MemberList", readonly=True),
        (controller, 0, "SupportedPriorities"): Variable(",".join(PRIORITIES), "MemberList", readonly=True),
        (controller, 0, "SupportedStates"): Variable(",".join(STATES), "MemberList", readonly=True),
        ("TariffCostCtrlr", 0, "Enabled[Cost]"): Variable("true", "boolean"),
        ("TariffCostCtrlr", 0, "Enabled[Tariff]"): Variable("true", "boolean"),
        ("TariffCostCtrlr", 0, "Currency"): Variable("EUR"),
        ("TariffCostCtrlr", 0, "TariffFallbackMessage"): Variable("See the operator's website"),
        ("TariffCostCtrlr", 0, "TotalCostFallbackMessage"): Variable("The bill follows"),
    }


async def set_display_message(station: "Charger", payload: Payload) -> Payload:
    """O01, O02, O06."""
    display, info = station.display, payload["message"]
    display.expire(station.clock.now())
    refused = _refused(station, info)
    if refused:
        return {"status": refused}
    if info["priority"] == "AlwaysFront":
        for key in [key for key, one in display.messages.items() if one["priority"] == "AlwaysFront"]:
            del display.messages[key]
    display.messages[info["id"]] = info
    _count(station)
    return ACCEPTED


async def get_display_messages(station: "Charger", payload: Payload) -> Answer:
    """O03, O04: the answer first, then the parts."""
    station.display.expire(station.clock.now())
    found = [info for key, info in station.display.messages.items() if _fits(key, info, payload)]
    if not found:
        return Answer({"status": "Unknown"})
    pieces: list[list[Any]] = [found[begin : begin + PART] for begin in range(0, len(found), PART)]
    parts = [
        {"requestId": payload["requestId"], "tbc": number < len(pieces), "messageInfo": piece}
        for number, piece in enumerate(pieces, start=1)
    ]
    return Answer(ACCEPTED, then=lambda: station.send_parts("NotifyDisplayMessages", parts))


async def clear_display_message(station: "Charger", payload: Payload) -> Payload:
    """O05."""
    gone = station.display.messages.pop(payload["id"], None)
    _count(station)
    return ACCEPTED if gone is not None else {"status": "Unknown"}


async def cost_updated(station: "Charger", payload: Payload) -> Payload:
    """I02: the display shows it."""
    station.shown_costs[payload["transactionId"]] = payload["totalCost"]
    return {}


def read(station: "Charger", transaction: Transaction) -> None:
    """Show what the last answer about a transaction holds: cost, news (I02, I03, I06)."""
    result = transaction.records[-1].result or {}
    if "totalCost" in result:
        station.shown_costs[transaction.id] = result["totalCost"]
    if "updatedPersonalMessage" in result:
        station.display.news[transaction.id] = result["updatedPersonalMessage"]["content"]


def _refused(station: "Charger", info: Payload) -> str:
    texts = [info["message"], *info.get("messageExtra", ())]
    running = {transaction.id for transaction in station.running.values()}
    if info["priority"] not in PRIORITIES:
        return "NotSupportedPriority"
    if info.get("state", STATES[0]) not in STATES:
        return "NotSupportedState"
    if any(text["format"] not in FORMATS for text in texts):
        return "NotSupportedMessageFormat"
    if info.get("transactionId", next(iter(running), "")) not in running | {""}:
        return "UnknownTransaction"
    is_full = info["id"] not in station.display.messages and len(station.display.messages) >= MOST
    return "Rejected" if is_full else ""


def _fits(key: int, info: Payload, asked: Payload) -> bool:
    return (
        key in asked.get("id", [key])
        and asked.get("priority", info["priority"]) == info["priority"]
        and asked.get("state", info.get("state")) == info.get("state")
    )


def _count(station: "Charger") -> None:
    station.model_of[COUNT].value = str(len(station.display.messages))
