"""Logs over the API: asked for, fetched as a file, never shown."""

import pytest

from cpo.models import AuditEvent
from stations.models import LogUpload
from stations.services import diagnostics, files
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FILES_ROOT = tmp_path


@pytest.fixture
def ada():
    return factories.station("ADA-1", is_online=True, ocpp_version="1.6")


def arrived(ada, content: bytes = b"<script>alert(1)</script>", name: str = "diag.html") -> LogUpload:
    upload = diagnostics.request(ada)
    file = files.store([content], kind="log", name=name, uploaded_by="ADA-1")
    return diagnostics.file_arrived(upload.link, file)


def test_a_log_is_asked_for_and_expected_no_longer(api, ada):
    made = api.post("stations/ADA-1/logs/", {"kind": "SecurityLog", "retries": 1}, expect=202)
    assert (made["kind"], made["state"], made["size"]) == ("SecurityLog", "requested", None)
    assert api.get("logs/?station=ADA-1&state=requested")["results"][0]["id"] == made["id"]

    assert api.post(f"logs/{made['id']}/cancel/", {}, expect=200)["state"] == "cancelled"
    api.post(f"logs/{made['id']}/cancel/", {}, expect=409)


def test_a_file_is_saved_and_never_shown(api, ada):
    upload = arrived(ada)
    answer = api("GET", f"logs/{upload.uid}/file/")

    assert b"".join(answer.streaming_content) == b"<script>alert(1)</script>"
    assert answer["Content-Disposition"] == 'attachment; filename="diag.html"'
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert AuditEvent.objects.get(action="log.view").object_id == upload.uid


def test_a_log_without_a_file_is_not_found(api, ada):
    upload = diagnostics.request(ada)

    assert api("GET", f"logs/{upload.uid}/file/").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "DriverLog"},
        {"location": "file:///tmp/x"},
        {"location": "http://169.254.169.254/"},
        {"location": "ftp://internal/"},
        {"oldest": "2025-01-02T00:00:00Z", "latest": "2025-01-01T00:00:00Z"},
    ],
)
def test_a_log_to_nowhere_is_refused(api, ada, body):
    api.post("stations/ADA-1/logs/", body, expect=400)

    assert not LogUpload.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("finance", 403), ("support", 202)])
def test_who_may_ask_for_logs(client_of, ada, role, status):
    assert client_of(role)("POST", "stations/ADA-1/logs/", {}).status_code == status


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("auditor", 200)])
def test_who_may_read_logs(client_of, ada, role, status):
    upload = arrived(ada)

    assert client_of(role)("GET", f"logs/{upload.uid}/file/").status_code == status
