"""Is this a VAT number? The default check looks at its form; another one is named in settings (OCPP 2.1 C20)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

# Forms of VAT numbers by country prefix, as the member states publish them for VIES; CHE, GB and NO besides.
FORMS = {
    "AT": r"U\d{8}", "BE": r"[01]\d{9}", "BG": r"\d{9,10}", "CY": r"\d{8}[A-Z]", "CZ": r"\d{8,10}", "DE": r"\d{9}",
    "DK": r"\d{8}", "EE": r"\d{9}", "EL": r"\d{9}", "ES": r"[A-Z0-9]\d{7}[A-Z0-9]", "FI": r"\d{8}",
    "FR": r"[A-HJ-NP-Z0-9]{2}\d{9}", "HR": r"\d{11}", "HU": r"\d{8}", "IE": r"\d[A-Z0-9+*]\d{5}[A-Z]{1,2}",
    "IT": r"\d{11}", "LT": r"(?:\d{9}|\d{12})", "LU": r"\d{8}", "LV": r"\d{11}", "MT": r"\d{8}",
    "NL": r"[A-Z0-9+*]{10}\d{2}", "PL": r"\d{10}", "PT": r"\d{9}", "RO": r"\d{2,10}", "SE": r"\d{10}01",
    "SI": r"\d{8}", "SK": r"\d{10}", "XI": r"(?:\d{9}|\d{12}|(?:GD|HA)\d{3})", "GB": r"(?:\d{9}|\d{12}|(?:GD|HA)\d{3})",
    "CHE": r"\d{9}(?:MWST|TVA|IVA)?", "NO": r"\d{9}(?:MVA)?",
}  # fmt: skip
PREFIXES = sorted(FORMS, key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Company:
    """Whose number it is."""

    name: str
    address: str
    city: str
    country: str
    postal_code: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the number is good, and whose it is if the source knows."""

    is_valid: bool
    company: Company | None = None


def check(number: str) -> Verdict:
    """Ask the source that settings name (VAT_SOURCE)."""
    return _source()(clean(number))


def check_form(number: str) -> Verdict:
    """Look at the form alone: right for its country, though nobody may have it."""
    prefix = next((one for one in PREFIXES if number.startswith(one)), None)
    return Verdict(prefix is not None and re.fullmatch(FORMS[prefix], number[len(prefix) :]) is not None)


def clean(number: str) -> str:
    """Leave out what people put between the digits."""
    return re.sub(r"[\s.\-]", "", number).upper()


@cache
def _source() -> Callable[[str], Verdict]:
    function: Callable[[str], Verdict] = import_string(settings.VAT_SOURCE)
    return function
