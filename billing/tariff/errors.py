"""Facts that stop a price from being computed.

TariffError
├── InvalidTariff      the tariff is not one: names the JSON path of the fault
├── InvalidUsage       the charging periods are not: names the JSON path of the fault
├── CannotPrice        tariff and usage are sound, but OCPI does not say what they cost together
├── CannotExpress      an older OCPI version has no words for what this object says
└── UnbalancedBill     lines and totals of a bill disagree: a fault of ours, never of the input
"""


class TariffError(Exception):
    """Base of everything that this package raises on purpose."""


class FaultAt(TariffError):
    """A fault at a place of a JSON document; `path` is like `elements[0].price_components[1].price`."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}" if path else reason)


class InvalidTariff(FaultAt):
    """The document is no OCPI tariff of the version it was read as."""


class InvalidUsage(FaultAt):
    """The charging periods contradict each other or OCPI."""


class CannotPrice(TariffError):
    """OCPI leaves this price open, and the engine does not guess."""


class CannotExpress(FaultAt):
    """The OCPI version asked for cannot say this; dropping it would change the price."""


class UnbalancedBill(TariffError):
    """The lines of a bill do not add up to its totals."""
