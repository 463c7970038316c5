"""Certificates for our own TLS port, from our own authority (1.6 security white paper A00.FR.317, A00.FR.510)."""

import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from cpo import tls
from stations.pki import certificates
from stations.services import server_certificates

pytestmark = pytest.mark.django_db
NAMES = ["localhost", "127.0.0.1", "cpo.example"]


def test_there_is_one_of_each_kind_and_they_serve(tmp_path: Path) -> None:
    files = server_certificates.ensure(tmp_path / "tls", names=NAMES)

    kinds = [certificates.key_label(certificates.read(f.read_text())[0].public_key()) for f in files]
    assert kinds == ["EC secp256r1", "RSA 2048"]
    assert [f.stat().st_mode & 0o777 for f in files] == [0o600, 0o600]
    assert tls.make_context(tls.pairs_of([str(f) for f in files]))


def test_the_roots_beside_them_verify_them(tmp_path: Path) -> None:
    server_certificates.ensure(tmp_path, names=NAMES)

    trusting = ssl.create_default_context(cafile=str(tmp_path / "roots.pem"))

    assert len(trusting.get_ca_certs()) == 2


def test_what_is_good_stays(tmp_path: Path) -> None:
    before = [f.read_text() for f in server_certificates.ensure(tmp_path, names=NAMES)]

    assert [f.read_text() for f in server_certificates.ensure(tmp_path, names=NAMES)] == before


def test_other_names_and_age_make_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = server_certificates.ensure(tmp_path, names=NAMES)[0].read_text()
    second = server_certificates.ensure(tmp_path, names=["other.example"])[0].read_text()
    later = server_certificates.clock.now() + timedelta(days=310)
    monkeypatch.setattr(server_certificates.clock, "now", lambda: later)
    third = server_certificates.ensure(tmp_path, names=["other.example"])[0].read_text()

    assert len({first, second, third}) == 3
