"""The OpenAPI document: whole, without warnings, with nothing that points nowhere."""

import json
import re

import pytest
from django.core.management import call_command

from tests.cpo.api.routes import ROUTES


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    call_command("spectacular", "--validate", "--fail-on-warn", "--format=openapi-json", f"--file={file}")
    return json.loads(file.read_text())


def test_it_describes_every_route(document):
    described = {(m.upper(), path) for path, methods in document["paths"].items() for m in methods}

    assert described == {(method, f"/api/v1/{path}") for method, path, _ in ROUTES}


def test_everything_that_it_points_to_is_there(document):
    wanted = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))

    assert wanted <= document["components"]["schemas"].keys()


def test_it_describes_the_errors_of_every_operation(document):
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["responses"].keys() >= {"401", "403"}, operation["operationId"]
            assert operation["summary"]


def test_it_shows_examples_of_the_main_calls(document):
    for path in (
        "stations/",
        "stations/{identity}/commands/",
        "tokens/",
        "tariffs/",
        "tariffs/price/",
        "partners/",
    ):
        body = document["paths"][f"/api/v1/{path}"]["post"]["requestBody"]["content"]["application/json"]
        assert body["examples"], path


@pytest.mark.django_db
def test_it_is_served_to_everybody(client):
    answer = client.get("/api/schema/")

    assert answer.status_code == 200
    assert b"OpenCPO operator API" in answer.content
