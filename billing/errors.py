"""Facts of the money that callers translate at their own border (HTTP, form errors, review items)."""


class BillingError(Exception):
    """Base of what can go wrong in billing."""


class UnknownOperator(BillingError):
    """Nobody can say in which own party's name this is: several operators, or none."""


class NotBillable(BillingError):
    """This session cannot be billed now; the text says why."""


class Held(BillingError):
    """This session waits for somebody to release it; the text says why."""


class Implausible(Held):
    """No connector can have given that much: somebody must release the session or correct its energy."""


class NotCreditable(BillingError):
    """This CDR is a credit CDR itself, or was credited already."""


class PriceDisagreement(BillingError):
    """The stored charging periods, priced again, cost something else than the bill: a fault of ours."""
