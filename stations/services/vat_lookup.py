"""VAT numbers asked for at a register: the European Commission's VIES, or what answers like it (OCPP 2.1 C18).

Its form is looked at first, and alone where the register does not know the country or is away: no driver waits longer
than VAT_LOOKUP_TIMEOUT_S, and none is refused because of the register. Answers are kept for VAT_LOOKUP_KEEP_S.
"""

import json
import re
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import structlog
from django.conf import settings

from cpo.lib import clock
from stations.models import VatNumber
from stations.services import guarded_http, vat_numbers
from stations.services.guarded_http import Unreachable
from stations.services.vat_numbers import Company, Verdict

log = structlog.get_logger(__name__)
NOT_THERE = frozenset({"CHE", "GB", "NO"})  # their form is known, but VIES does not have them
REST = timedelta(seconds=30)  # after a question in vain
_POSTAL = re.compile(r"(?P<code>(?:[A-Z]{1,2}-)?\d{4,6}(?: ?[A-Z]{2})?)\s+(?P<city>\S.*)")
_rests_until = clock.now() - REST


def look_up(number: str) -> Verdict:
    """Say whether a number is good and whose it is. A VAT_SOURCE of the settings."""
    form = vat_numbers.check_form(number)
    prefix = next((one for one in vat_numbers.PREFIXES if number.startswith(one)), "")
    if not form.is_valid or prefix in NOT_THERE:
        return form
    kept = VatNumber.objects.filter(
        number=number, checked_at__gt=clock.now() - timedelta(seconds=settings.VAT_LOOKUP_KEEP_S)
    ).first()
    if kept is not None:
        return Verdict(kept.is_valid, Company(**kept.company) if kept.company else None)
    verdict = _ask(prefix, number[len(prefix) :])
    if verdict is None:
        return form
    VatNumber.objects.update_or_create(
        number=number,
        defaults={
            "is_valid": verdict.is_valid,
            "company": asdict(verdict.company) if verdict.company else {},
            "checked_at": clock.now(),
        },
    )
    return verdict


def _ask(prefix: str, rest: str) -> Verdict | None:
    """Ask the register; None when it cannot say."""
    global _rests_until
    if clock.now() < _rests_until:
        return None
    base = settings.VAT_LOOKUP_URL.rstrip("/")
    try:
        answer = guarded_http.ask(
            guarded_http.GUARDED,
            "GET",
            f"{base}/ms/{quote(prefix)}/vat/{quote(rest, safe='')}",
            headers={"accept": "application/json"},
            timeout_s=settings.VAT_LOOKUP_TIMEOUT_S,
        )
        told = json.loads(answer.body) if answer.status == 200 else None
    except (Unreachable, ValueError, RecursionError) as error:
        log.warning("VAT register away", why=type(error).__name__)
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("isValid"), bool) or _is_busy(told):
        _rests_until = clock.now() + REST
        return None
    return Verdict(told["isValid"], _company(prefix, told) if told["isValid"] else None)


def _is_busy(told: dict[str, Any]) -> bool:
    """Tell an answer that says nothing about the number: a member state that is away says "not valid" too."""
    return str(told.get("userError") or "VALID") not in ("VALID", "INVALID", "INVALID_INPUT")


def _company(prefix: str, told: dict[str, Any]) -> Company | None:
    """Read a name and an address in lines; None where the member state tells neither ("---")."""
    name = _clean(told.get("name"))
    lines = [line for line in map(_clean, str(told.get("address") or "").splitlines()) if line]
    if not name:
        return None
    street, last = ", ".join(lines[:-1]) or "-", lines[-1] if lines else ""
    found = _POSTAL.search(last)
    code, city = (found["code"], found["city"]) if found else ("", last or "-")
    return Company(name=name, address=street, city=city, country=prefix, postal_code=code)


def _clean(text: Any) -> str:
    cleaned = re.sub(r"\s+", " ", str(text or "").replace("\0", "")).strip()
    return "" if set(cleaned) <= {"-"} else cleaned
