"""What a service says of itself from its start: its release, and its certificates' end."""

import math
import time
from pathlib import Path

from prometheus_client import REGISTRY
from pydantic_settings import BaseSettings
from service_kit.runtime.build_info import export_build
from service_kit.runtime.certificates import expires_at, export_certificates

from tests.support.certificates import Authority

A_DAY_S = 86_400


class Settings(BaseSettings):
    nats_ca: str = ""
    nats_cert: str = ""
    nats_key: str = ""


def exported(file: str) -> float | None:
    name = "comanda_certificate_expires_timestamp_seconds"
    return REGISTRY.get_sample_value(name, {"file": file})


def test_a_release_names_itself() -> None:
    export_build("ordering", "a1b2c3")

    labels = {"service": "ordering", "version": "1.0.0", "revision": "a1b2c3"}
    assert REGISTRY.get_sample_value("comanda_build_info", labels) == 1


def test_each_file_with_certificates_tells_when_the_first_of_them_expires(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    certificate, key = authority.sign("localhost")
    settings = Settings(nats_ca=str(authority.file), nats_cert=str(certificate), nats_key=str(key))

    export_certificates(settings)

    for file in ("nats_ca", "nats_cert"):
        assert abs((exported(file) or 0) - time.time() - A_DAY_S) < A_DAY_S / 2
    assert exported("nats_key") is None

    certificate.write_text("renewed badly")
    assert math.isnan(exported("nats_cert") or 0)
    certificate.unlink()
    assert math.isnan(expires_at(certificate))
