"""What an OCPI 2.1.1 object must look like: one party on each side, amounts without VAT, locations inside sessions."""

import re
from functools import partial

from cpo.simulator import partner_rules as newer
from cpo.simulator.partner_rules import (
    Rules,
    changed,
    each,
    integer,
    matching,
    number,
    string,
    table,
    words,
)  # fmt: skip

moment = partial(matching, re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\dZ"))
LATITUDE, LONGITUDE = re.compile(r"-?[0-9]{1,2}\.[0-9]{6}"), re.compile(r"-?[0-9]{1,3}\.[0-9]{6}")

GEO = table(latitude_r=partial(matching, LATITUDE), longitude_r=partial(matching, LONGITUDE))
STANDARDS = words(
    "CHADEMO DOMESTIC_A DOMESTIC_B DOMESTIC_C DOMESTIC_D DOMESTIC_E DOMESTIC_F DOMESTIC_G DOMESTIC_H DOMESTIC_I "
    "DOMESTIC_J DOMESTIC_K DOMESTIC_L IEC_60309_2_single_16 IEC_60309_2_three_16 IEC_60309_2_three_32 "
    "IEC_60309_2_three_64 IEC_62196_T1 IEC_62196_T1_COMBO IEC_62196_T2 IEC_62196_T2_COMBO IEC_62196_T3A "
    "IEC_62196_T3C TESLA_R TESLA_S"
)
CONNECTOR = table(
    id_r=string(36), standard_r=STANDARDS, format_r=words("SOCKET CABLE"),
    power_type_r=words("AC_1_PHASE AC_3_PHASE DC"), voltage_r=integer, amperage_r=integer, tariff_id=string(36),
    terms_and_conditions=string(255), last_updated_r=moment,
)  # fmt: skip
EVSE = table(
    uid_r=string(39), evse_id=string(48), status_r=newer.STATUSES,
    capabilities=partial(
        each,
        words(
            "CHARGING_PROFILE_CAPABLE CREDIT_CARD_PAYABLE REMOTE_START_STOP_CAPABLE RESERVABLE RFID_READER "
            "UNLOCK_CAPABLE"
        ),
    ),
    connectors_n=partial(each, CONNECTOR), floor_level=string(4), coordinates=GEO, physical_reference=string(16),
    last_updated_r=moment,
)  # fmt: skip
ENERGY_MIX = changed(
    newer.ENERGY_MIX,
    environ_impact=partial(each, table(source_r=words("NUCLEAR_WASTE CARBON_DIOXIDE"), amount_r=number)),
)
PERIOD = table(period_begin_r=moment, period_end_r=moment)
HOURS = changed(
    newer.HOURS,
    "twentyfourseven",
    twentyfourseven=newer.boolean,
    exceptional_openings=partial(each, PERIOD),
    exceptional_closings=partial(each, PERIOD),
)
FACILITIES = words(
    "HOTEL RESTAURANT CAFE MALL SUPERMARKET SPORT RECREATION_AREA NATURE MUSEUM BUS_STOP TAXI_STAND TRAIN_STATION "
    "AIRPORT CARPOOL_PARKING FUEL_STATION WIFI"
)
LOCATION = table(
    id_r=string(39), type_r=words("ON_STREET PARKING_GARAGE UNDERGROUND_GARAGE PARKING_LOT OTHER UNKNOWN"),
    name=string(255), address_r=string(45), city_r=string(45), postal_code_r=string(10), country_r=string(3),
    coordinates_r=GEO, evses=partial(each, EVSE), operator=newer.DETAILS, facilities=partial(each, FACILITIES),
    time_zone=string(255), opening_times=HOURS, charging_when_closed=newer.boolean, energy_mix=ENERGY_MIX,
    last_updated_r=moment,
)  # fmt: skip
RESTRICTIONS = changed(newer.RESTRICTIONS, "min_current", "max_current", "reservation")
COMPONENT = changed(newer.COMPONENT, "vat")
TARIFF = table(
    id_r=string(36), currency_r=string(3), tariff_alt_text=partial(each, newer.DISPLAY), tariff_alt_url=string(255),
    elements_n=partial(each, table(price_components_n=partial(each, COMPONENT), restrictions=RESTRICTIONS)),
    energy_mix=ENERGY_MIX, last_updated_r=moment,
)  # fmt: skip
DIMENSION = table(type_r=words("ENERGY FLAT MAX_CURRENT MIN_CURRENT PARKING_TIME TIME"), volume_r=number)
CHARGING_PERIOD = table(start_date_time_r=moment, dimensions_n=partial(each, DIMENSION))
AUTH_METHODS = words("AUTH_REQUEST WHITELIST")
SESSION = table(
    id_r=string(36), start_datetime_r=moment, end_datetime=moment, kwh_r=number, auth_id_r=string(36),
    auth_method_r=AUTH_METHODS, location_r=LOCATION, meter_id=string(255), currency_r=string(3),
    charging_periods=partial(each, CHARGING_PERIOD), total_cost=number,
    status_r=words("ACTIVE COMPLETED INVALID PENDING"), last_updated_r=moment,
)  # fmt: skip
CDR = table(
    id_r=newer.ci(36), start_date_time_r=moment, stop_date_time_r=moment, auth_id_r=string(36),
    auth_method_r=AUTH_METHODS, location_r=LOCATION, meter_id=string(255), currency_r=string(3),
    tariffs=partial(each, TARIFF), charging_periods_n=partial(each, CHARGING_PERIOD), total_cost_r=number,
    total_energy_r=number, total_time_r=number, total_parking_time=number, remark=string(255), last_updated_r=moment,
)  # fmt: skip
CREDENTIALS = table(
    url_r=string(255), token_r=string(64), party_id_r=string(3), country_code_r=string(2),
    business_details_r=newer.DETAILS,
)  # fmt: skip
RULES = Rules(
    {"locations": LOCATION, "tariffs": TARIFF, "sessions": SESSION, "cdrs": CDR},
    CREDENTIALS,
    table(identifier_r=string(32), url_r=string(255)),
    table(status_r=newer.STATUSES, last_updated=moment),
    has_parties=False,
    has_fractions=False,
)
