"""What an OCPI object must look like, as tables: the simulated partner is strict where real ones are.

These are of 2.2.1; `partner_rules_211` and `partner_rules_230` say what differs.

Written from the specification's tables alone, so that it referees the platform. A rule is a function that gives the
faults of a value; a table names the rule of each member, `!` marks required ones, `+` lists that must not be empty.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

Rule = Callable[[Any], Iterator[str]]

_DATE_TIME = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d(\.\d+)?Z?")
_LATITUDE = re.compile(r"-?[0-9]{1,2}\.[0-9]{5,7}")
_LONGITUDE = re.compile(r"-?[0-9]{1,3}\.[0-9]{5,7}")


def text(limit: int, value: Any) -> Iterator[str]:
    """string(n)."""
    if not isinstance(value, str):
        yield f"is {type(value).__name__}, not a string"
    elif not value or len(value) > limit:
        yield f"has {len(value)} characters, 1 to {limit} are allowed"


def ci_string(limit: int, value: Any) -> Iterator[str]:
    """CiString(n)."""
    yield from text(limit, value)
    if isinstance(value, str) and not (value.isascii() and value.isprintable()):
        yield "has characters that are not printable ASCII"


def moment(value: Any) -> Iterator[str]:
    """DateTime: 25 characters at most, UTC."""
    if not isinstance(value, str) or len(value) > 25 or not _DATE_TIME.fullmatch(value):
        yield f"is no OCPI DateTime: {value!r}"


def number(value: Any) -> Iterator[str]:
    """number: a JSON number, never a string."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        yield f"is {type(value).__name__}, not a number"


def integer(value: Any) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int):
        yield f"is {type(value).__name__}, not an int"


def boolean(value: Any) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"is {type(value).__name__}, not a boolean"


def matching(pattern: re.Pattern[str], value: Any) -> Iterator[str]:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        yield f"does not match: {value!r}"


def one_of(words: frozenset[str], value: Any) -> Iterator[str]:
    if value not in words:
        yield f"is not one of the enumeration: {value!r}"


def members(table: Mapping[str, Rule], value: Any) -> Iterator[str]:
    """An object: required members there, none unknown, none null or empty."""
    if not isinstance(value, Mapping):
        yield "is not an object"
        return
    known = {name.rstrip("!+"): (name, rule) for name, rule in table.items()}
    for name in value.keys() - known.keys():
        yield f"{name}: is not in the specification"
    for name, (marked, rule) in known.items():
        if value.get(name) is None:
            if marked.endswith(("!", "+")):
                yield f"{name}: is required"
            continue
        if marked.endswith("+") and not value[name]:
            yield f"{name}: must not be empty"
        for fault in rule(value[name]):
            yield f"{name}: {fault}" if not fault.startswith("[") else f"{name}{fault}"


def each(rule: Rule, value: Any) -> Iterator[str]:
    """A list."""
    if not isinstance(value, list):
        yield "is not a list"
        return
    for index, item in enumerate(value):
        yield from (f"[{index}] {fault}" for fault in rule(item))


def words(listed: str) -> Rule:
    return partial(one_of, frozenset(listed.split()))


def string(limit: int) -> Rule:
    return partial(text, limit)


def ci(limit: int) -> Rule:
    return partial(ci_string, limit)


def table(**rules: Rule) -> Rule:
    """An object's table; `_r` at the end of a name marks it as required, `_n` as a list that must not be empty."""
    marks = {"_r": "!", "_n": "+"}
    return partial(
        members, {n[:-2] + marks[n[-2:]] if n[-2:] in marks else n: rule for n, rule in rules.items()}
    )


def changed(rule: Any, *without: str, **rules: Rule) -> Rule:
    """Return an object's table with members taken away and others put in their place, named as in `table`."""
    kept = {name: each for name, each in rule.args[0].items() if name.rstrip("!+") not in without}
    fresh: Any = table(**rules)
    gone = {name.rstrip("!+") for name in fresh.args[0]}
    return partial(
        members, {n: each for n, each in kept.items() if n.rstrip("!+") not in gone} | fresh.args[0]
    )


GEO = table(latitude_r=partial(matching, _LATITUDE), longitude_r=partial(matching, _LONGITUDE))
DETAILS = table(name_r=string(100), website=string(255))
PRICE = table(excl_vat_r=number, incl_vat=number)
DISPLAY = table(language_r=string(2), text_r=string(512))
ENERGY_MIX = table(
    is_green_energy_r=boolean,
    energy_sources=partial(each, table(source_r=string(32), percentage_r=number)),
    environ_impact=partial(each, table(category_r=string(32), amount_r=number)),
    supplier_name=string(64),
    energy_product_name=string(64),
)
PERIOD = table(period_begin_r=moment, period_end_r=moment)
HOURS = table(
    twentyfourseven_r=boolean,
    regular_hours=partial(each, table(weekday_r=integer, period_begin_r=string(5), period_end_r=string(5))),
    exceptional_openings=partial(each, PERIOD),
    exceptional_closings=partial(each, PERIOD),
)
STANDARDS = words(
    "CHADEMO CHAOJI DOMESTIC_A DOMESTIC_B DOMESTIC_C DOMESTIC_D DOMESTIC_E DOMESTIC_F DOMESTIC_G DOMESTIC_H DOMESTIC_I "
    "DOMESTIC_J DOMESTIC_K DOMESTIC_L DOMESTIC_M DOMESTIC_N DOMESTIC_O GBT_AC GBT_DC IEC_60309_2_single_16 "
    "IEC_60309_2_three_16 IEC_60309_2_three_32 IEC_60309_2_three_64 IEC_62196_T1 IEC_62196_T1_COMBO IEC_62196_T2 "
    "IEC_62196_T2_COMBO IEC_62196_T3A IEC_62196_T3C NEMA_5_20 NEMA_6_30 NEMA_6_50 NEMA_10_30 NEMA_10_50 NEMA_14_30 "
    "NEMA_14_50 PANTOGRAPH_BOTTOM_UP PANTOGRAPH_TOP_DOWN TESLA_R TESLA_S"
)
FORMATS = words("SOCKET CABLE")
POWER_TYPES = words("AC_1_PHASE AC_2_PHASE AC_2_PHASE_SPLIT AC_3_PHASE DC")
STATUSES = words("AVAILABLE BLOCKED CHARGING INOPERATIVE OUTOFORDER PLANNED REMOVED RESERVED UNKNOWN")
AUTH_METHODS = words("AUTH_REQUEST COMMAND WHITELIST")
TOKEN_TYPES = words("AD_HOC_USER APP_USER OTHER RFID")
CAPABILITIES = words(
    "CHARGING_PROFILE_CAPABLE CHARGING_PREFERENCES_CAPABLE CHIP_CARD_SUPPORT CONTACTLESS_CARD_SUPPORT "
    "CREDIT_CARD_PAYABLE DEBIT_CARD_PAYABLE PED_TERMINAL REMOTE_START_STOP_CAPABLE RESERVABLE RFID_READER "
    "START_SESSION_CONNECTOR_REQUIRED TOKEN_GROUP_CAPABLE UNLOCK_CAPABLE"
)

CONNECTOR = table(
    id_r=ci(36), standard_r=STANDARDS, format_r=FORMATS, power_type_r=POWER_TYPES, max_voltage_r=integer,
    max_amperage_r=integer, max_electric_power=integer, tariff_ids=partial(each, ci(36)),
    terms_and_conditions=string(255), last_updated_r=moment,
)  # fmt: skip
EVSE = table(
    uid_r=ci(36), evse_id=ci(48), status_r=STATUSES, capabilities=partial(each, CAPABILITIES),
    connectors_n=partial(each, CONNECTOR), floor_level=string(4), coordinates=GEO, physical_reference=string(16),
    last_updated_r=moment,
)  # fmt: skip
LOCATION = table(
    country_code_r=ci(2), party_id_r=ci(3), id_r=ci(36), publish_r=boolean, name=string(255), address_r=string(255),
    city_r=string(45), postal_code=string(10), state=string(45), country_r=string(3), coordinates_r=GEO,
    parking_type=words("ALONG_MOTORWAY PARKING_GARAGE PARKING_LOT ON_DRIVEWAY ON_STREET UNDERGROUND_GARAGE"),
    evses=partial(each, EVSE), operator=DETAILS, facilities=partial(each, string(32)), time_zone_r=string(255),
    opening_times=HOURS, charging_when_closed=boolean, energy_mix=ENERGY_MIX, last_updated_r=moment,
)  # fmt: skip
RESTRICTIONS = table(
    start_time=string(5), end_time=string(5), start_date=string(10), end_date=string(10), min_kwh=number,
    max_kwh=number, min_current=number, max_current=number, min_power=number, max_power=number, min_duration=integer,
    max_duration=integer,
    day_of_week=partial(each, words("MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY")),
    reservation=words("RESERVATION RESERVATION_EXPIRES"),
)  # fmt: skip
COMPONENT = table(
    type_r=words("ENERGY FLAT PARKING_TIME TIME"), price_r=number, vat=number, step_size_r=integer
)
TARIFF = table(
    country_code_r=ci(2), party_id_r=ci(3), id_r=ci(36), currency_r=string(3),
    type=words("AD_HOC_PAYMENT PROFILE_CHEAP PROFILE_FAST PROFILE_GREEN REGULAR"),
    tariff_alt_text=partial(each, DISPLAY), tariff_alt_url=string(255), min_price=PRICE, max_price=PRICE,
    elements_n=partial(each, table(price_components_n=partial(each, COMPONENT), restrictions=RESTRICTIONS)),
    start_date_time=moment, end_date_time=moment, energy_mix=ENERGY_MIX, last_updated_r=moment,
)  # fmt: skip
CDR_TOKEN = table(
    country_code_r=ci(2), party_id_r=ci(3), uid_r=ci(36), type_r=TOKEN_TYPES, contract_id_r=ci(36)
)
DIMENSION = table(
    type_r=words(
        "CURRENT ENERGY ENERGY_EXPORT ENERGY_IMPORT MAX_CURRENT MIN_CURRENT MAX_POWER MIN_POWER PARKING_TIME POWER "
        "RESERVATION_TIME STATE_OF_CHARGE TIME"
    ),
    volume_r=number,
)
CHARGING_PERIOD = table(start_date_time_r=moment, dimensions_n=partial(each, DIMENSION), tariff_id=ci(36))
SESSION = table(
    country_code_r=ci(2), party_id_r=ci(3), id_r=ci(36), start_date_time_r=moment, end_date_time=moment, kwh_r=number,
    cdr_token_r=CDR_TOKEN, auth_method_r=AUTH_METHODS, authorization_reference=ci(36), location_id_r=ci(36),
    evse_uid_r=ci(36), connector_id_r=ci(36), meter_id=string(255), currency_r=string(3),
    charging_periods=partial(each, CHARGING_PERIOD), total_cost=PRICE,
    status_r=words("ACTIVE COMPLETED INVALID PENDING RESERVATION"), last_updated_r=moment,
)  # fmt: skip
CDR_LOCATION = table(
    id_r=ci(36), name=string(255), address_r=string(255), city_r=string(45), postal_code=string(10),
    state=string(20), country_r=string(3), coordinates_r=GEO, evse_uid_r=ci(36), evse_id_r=ci(48),
    connector_id_r=ci(36), connector_standard_r=STANDARDS, connector_format_r=FORMATS,
    connector_power_type_r=POWER_TYPES,
)  # fmt: skip
CDR = table(
    country_code_r=ci(2), party_id_r=ci(3), id_r=ci(39), start_date_time_r=moment, end_date_time_r=moment,
    session_id_r=ci(36), cdr_token_r=CDR_TOKEN, auth_method_r=AUTH_METHODS, authorization_reference=ci(36),
    cdr_location_r=CDR_LOCATION, meter_id=string(255), currency_r=string(3), tariffs=partial(each, TARIFF),
    charging_periods_n=partial(each, CHARGING_PERIOD), total_cost_r=PRICE, total_fixed_cost=PRICE,
    total_energy_r=number, total_energy_cost=PRICE, total_time_r=number, total_time_cost=PRICE,
    total_parking_time=number, total_parking_cost=PRICE, total_reservation_cost=PRICE, remark=string(255),
    invoice_reference_id=ci(39), credit=boolean, credit_reference_id=ci(39), last_updated_r=moment,
)  # fmt: skip
ROLE = table(
    role_r=words("CPO EMSP HUB NAP NSP OTHER SCSP"),
    business_details_r=DETAILS,
    party_id_r=ci(3),
    country_code_r=ci(2),
)
CREDENTIALS = table(token_r=string(64), url_r=string(255), roles_n=partial(each, ROLE))
ENDPOINT = table(identifier_r=string(32), role_r=words("SENDER RECEIVER"), url_r=string(255))
STATUS_PATCH = table(status_r=STATUSES, last_updated_r=moment)
ENVELOPE = ("status_code", "timestamp")


class Rules(NamedTuple):
    """The tables of one version. `has_parties`: objects name their owner, endpoints their role."""

    objects: Mapping[str, Rule]
    credentials: Rule
    endpoint: Rule
    status_patch: Rule
    has_parties: bool = True
    has_fractions: bool = True


OBJECTS: Mapping[str, Rule] = {"locations": LOCATION, "tariffs": TARIFF, "sessions": SESSION, "cdrs": CDR}
RULES = Rules(OBJECTS, CREDENTIALS, ENDPOINT, STATUS_PATCH)


def faults(rule: Rule, value: Any) -> list[str]:
    """Return what is wrong with a value."""
    return list(rule(value))


def envelope_faults(body: Any) -> list[str]:
    """Return what is wrong with an answer's envelope (transport_and_format#Response format)."""
    if not isinstance(body, Mapping):
        return ["the answer is not an object"]
    found = [f"{name} is missing" for name in ENVELOPE if name not in body]
    found += [
        f"{name} is not in the specification" for name in body.keys() - {*ENVELOPE, "data", "status_message"}
    ]
    found += [f"timestamp {fault}" for fault in moment(body.get("timestamp"))]
    return found + [f"status_code {fault}" for fault in integer(body.get("status_code"))]
