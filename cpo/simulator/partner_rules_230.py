"""What OCPI 2.3.0 adds to the tables of 2.2.1: prices with their taxes, more open enumerations, connector abilities."""

from functools import partial

from cpo.simulator import partner_rules as old
from cpo.simulator.partner_rules import (
    Rules,
    boolean,
    changed,
    ci,
    each,
    moment,
    number,
    string,
    table,
    words,
)  # fmt: skip

TAX = table(name_r=string(100), account_number=string(36), percentage=number, amount_r=number)
PRICE = table(before_taxes_r=number, taxes=partial(each, TAX))
LIMIT = table(before_taxes_r=number, after_taxes=number)
CONNECTOR = changed(
    old.CONNECTOR,
    standard_r=string(36),  # open since 2.3.0
    capabilities=partial(each, words("ISO_15118_2_PLUG_AND_CHARGE ISO_15118_20_PLUG_AND_CHARGE")),
)
EVSE = changed(
    old.EVSE,
    connectors_n=partial(each, CONNECTOR),
    capabilities=partial(each, string(36)),
    parking=partial(each, table(parking_id_r=ci(36), evse_position=string(36))),
    accepted_service_providers=partial(each, string(50)),
)
LOCATION = changed(
    old.LOCATION,
    evses=partial(each, EVSE),
    help_phone=ci(25),
    facilities=partial(each, string(36)),
    parking_type=string(36),
)
TARIFF = changed(
    old.TARIFF,
    min_price=LIMIT,
    max_price=LIMIT,
    tax_included_r=words("YES NO N/A"),
    preauthorize_amount=number,
)
CDR_TOKEN = changed(old.CDR_TOKEN, type_r=words("AD_HOC_USER APP_USER EMAID OTHER RFID"))
SESSION = changed(old.SESSION, cdr_token_r=CDR_TOKEN, total_cost=PRICE)
SIGNED = table(
    encoding_method_r=ci(36), encoding_method_version=old.integer, public_key=ci(512), url=string(512),
    signed_values_n=partial(each, table(nature_r=ci(32), plain_data_r=string(512), signed_data_r=string(5000))),
)  # fmt: skip
CDR = changed(
    old.CDR, cdr_token_r=CDR_TOKEN, cdr_location_r=changed(old.CDR_LOCATION, connector_standard_r=string(36)),
    tariffs=partial(each, TARIFF), session_id=ci(36), total_cost_r=PRICE, total_fixed_cost=PRICE,
    total_energy_cost=PRICE, total_time_cost=PRICE, total_parking_cost=PRICE, total_reservation_cost=PRICE,
    signed_data=SIGNED, home_charging_compensation=boolean, last_updated_r=moment,
)  # fmt: skip
CREDENTIALS = changed(
    old.CREDENTIALS,
    hub_party_id=ci(5),
    roles_n=partial(each, changed(old.ROLE, role_r=words("CPO EMSP NAP NSP OTHER PTP SCSP"))),
)
RULES = Rules(
    {"locations": LOCATION, "tariffs": TARIFF, "sessions": SESSION, "cdrs": CDR},
    CREDENTIALS,
    old.ENDPOINT,
    old.STATUS_PATCH,
)
