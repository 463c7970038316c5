"""How a contract id (eMAID) may be written: its separators carry no meaning (ISO 15118-1, OCPP 2.1 C07). Pure."""

import re
from collections.abc import Iterator

_PLAIN = re.compile(r"([A-Z]{2})([A-Z0-9]{3})([A-Z0-9]{9})([A-Z0-9]?)", re.IGNORECASE)
SEPARATORS = str.maketrans("", "", "-*")


def spellings(emaid: str) -> Iterator[str]:
    """Give the other ways to write an eMAID: without separators, with hyphens, and either without its check digit."""
    plain = emaid.translate(SEPARATORS)
    found = _PLAIN.fullmatch(plain)
    forms = [plain]
    if found:
        country, provider, instance, check = found.groups()
        bare = f"{country}-{provider}-{instance}"
        forms += [f"{bare}-{check}", plain[:-1], bare] if check else [bare]
    seen = {emaid}
    for form in forms:
        if form not in seen:
            seen.add(form)
            yield form


def plain(emaid: str) -> str:
    """Return the form in which two spellings of one eMAID are equal: no separators, no check digit, upper case."""
    text = emaid.translate(SEPARATORS).upper()
    found = _PLAIN.fullmatch(text)
    return "".join(found.groups()[:3]) if found else text
