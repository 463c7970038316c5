"""Partners keep their drivers' tokens here (OCPI 2.2.1 mod_tokens#Receiver Interface, SECURITY O5, O18, O23)."""

from urllib.parse import quote

import pytest

from roaming.models import Exchange
from stations.models import IdToken
from tests.emsp import now_text

pytestmark = pytest.mark.django_db


@pytest.fixture
def tokens(partner, platform):
    """Give the base URL of partner NL*ABC's tokens."""
    return f"{platform}/ocpi/cpo/2.2.1/tokens/NL/ABC"


def token(uid="EMP-1", **changes):
    return {
        "country_code": "NL", "party_id": "ABC", "uid": uid, "type": "RFID", "contract_id": "NL-ABC-1",
        "issuer": "eMSP", "valid": True, "whitelist": "ALLOWED", "last_updated": "2025-06-01T00:00:00Z",
    } | changes  # fmt: skip


def test_a_new_token_is_created_and_given_back_as_it_came(partner, tokens):
    sent = token(visual_number="V-1", group_id="G", language="nl", energy_contract={"supplier_name": "Sun"})

    assert partner.ask("PUT", f"{tokens}/EMP-1", sent).http == 201

    assert partner.ask("GET", f"{tokens}/EMP-1").data == sent
    stored = IdToken.objects.get()
    assert (stored.country_code, stored.party_id, stored.status) == ("NL", "ABC", "Accepted")


def test_a_put_replaces_and_sets_back_what_it_leaves_out(partner, tokens):
    partner.ask("PUT", f"{tokens}/EMP-1", token(group_id="G"))

    answer = partner.ask("PUT", f"{tokens}/EMP-1", token(last_updated="2025-06-02T00:00:00Z", valid=False))

    assert (answer.http, answer.code) == (200, 1000)
    assert IdToken.objects.get().status == "Blocked"
    assert "group_id" not in partner.ask("GET", f"{tokens}/EMP-1").data


def test_a_patch_changes_only_what_it_names(partner, tokens):
    partner.ask("PUT", f"{tokens}/EMP-1", token(group_id="G"))

    partner.ask("PATCH", f"{tokens}/EMP-1", {"valid": False, "last_updated": "2025-06-02T00:00:00Z"})

    assert partner.ask("GET", f"{tokens}/EMP-1").data == token(
        group_id="G", valid=False, last_updated="2025-06-02T00:00:00Z"
    )


def test_attack_o18_a_patch_without_last_updated_is_2001(partner, tokens):
    partner.ask("PUT", f"{tokens}/EMP-1", token())

    answer = partner.ask("PATCH", f"{tokens}/EMP-1", {"valid": False})

    assert (answer.http, answer.code) == (200, 2001)
    assert IdToken.objects.get().status == "Accepted"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_attack_o18_what_is_older_is_ignored_without_an_error(partner, tokens, method):
    partner.ask("PUT", f"{tokens}/EMP-1", token())

    answer = partner.ask(method, f"{tokens}/EMP-1", token(valid=False, last_updated="2025-05-31T00:00:00Z"))

    assert (answer.http, answer.code) == (200, 1000)
    assert IdToken.objects.get().status == "Accepted"


def test_a_patch_of_an_unknown_token_is_404_with_2004(partner, tokens):
    answer = partner.ask("PATCH", f"{tokens}/NOBODY", {"valid": False, "last_updated": now_text()})

    assert (answer.http, answer.code) == (404, 2004)
    assert partner.ask("GET", f"{tokens}/NOBODY").http == 404


@pytest.mark.parametrize("path", ["NL/XYZ", "DE/ABC", "NL/OPN"])
def test_attack_o5_a_party_of_somebody_else_is_refused_and_nothing_written(partner, platform, path):
    country_code, party_id = path.split("/")
    body = token(country_code=country_code, party_id=party_id)

    answer = partner.ask("PUT", f"{platform}/ocpi/cpo/2.2.1/tokens/{path}/EMP-1", body)

    assert (answer.http, answer.code) == (404, 2001)
    assert not IdToken.objects.exists()


@pytest.mark.parametrize(
    "change", [{"uid": "OTHER"}, {"party_id": "XYZ"}, {"country_code": "DE"}, {"type": "OTHER"}]
)
def test_attack_o5_a_body_that_names_another_object_is_2001(partner, tokens, change):
    answer = partner.ask("PUT", f"{tokens}/EMP-1", token(**change))

    assert (answer.http, answer.code) == (200, 2001)
    assert not IdToken.objects.exists()


@pytest.mark.parametrize("uid", ["a?b", "a#b", "..", "a b", "a%b", "a;b=c", "x" * 36])
def test_attack_o23_odd_uids_are_kept_apart_and_found_again(partner, tokens, uid):
    url = f"{tokens}/{quote(uid, safe='')}"

    assert partner.ask("PUT", url, token(uid)).http == 201
    assert partner.ask("GET", url).data["uid"] == uid


@pytest.mark.parametrize("uid", ["x" * 37, "é", "tab\t", ""])
def test_attack_o23_uids_that_no_cistring_36_is_are_2001(partner, tokens, uid):
    answer = partner.ask("PUT", f"{tokens}/{quote(uid or '1', safe='')}", token(uid))

    assert (answer.http, answer.code) == (200, 2001)


def test_attack_o23_case_twins_are_one_token_whose_case_is_kept(partner, tokens):
    partner.ask("PUT", f"{tokens}/EmP-1", token("EmP-1"))

    answer = partner.ask("PUT", f"{tokens}/emp-1", token("emp-1", last_updated="2025-06-02T00:00:00Z"))

    assert answer.http == 200
    assert partner.ask("GET", f"{tokens}/EMP-1").data["uid"] == "EmP-1"


def test_one_uid_of_two_types_is_two_tokens(partner, tokens):
    partner.ask("PUT", f"{tokens}/1", token("1"))
    partner.ask("PUT", f"{tokens}/1?type=APP_USER", token("1", type="APP_USER", whitelist="NEVER"))

    assert partner.ask("GET", f"{tokens}/1?type=APP_USER").data["whitelist"] == "NEVER"
    assert partner.ask("GET", f"{tokens}/1").data["whitelist"] == "ALLOWED"


def test_small_faults_are_put_right_and_noted(partner, tokens):
    sent = token(valid="true", whitelist="allowed", contract_id=4711, colour="red", visual_number=None)

    assert partner.ask("PUT", f"{tokens}/EMP-1", sent).http == 201

    kept = partner.ask("GET", f"{tokens}/EMP-1").data
    assert (kept["valid"], kept["whitelist"], kept["contract_id"]) == (True, "ALLOWED", "4711")
    noted = Exchange.objects.filter(method="PUT", module="tokens").first()
    assert len(noted.warnings) == 3


@pytest.mark.parametrize(
    "change", [{"whitelist": "SOMETIMES"}, {"valid": "perhaps"}, {"last_updated": "now"}]
)
def test_what_cannot_be_put_right_is_2001_and_names_the_place(partner, tokens, change):
    answer = partner.ask("PUT", f"{tokens}/EMP-1", token(**change))

    assert answer.code == 2001
    assert next(iter(change)).replace("valid", "") in answer.body["status_message"]
    assert not IdToken.objects.exists()
