"""A broker that is not there, is none, or refuses us: one line in a few seconds that says which and what to do."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake_brokers
import pytest
from fake_brokers import PASSWORD, USERNAME, Behaviour, ask_for_credentials, serving
from mock_broker import mock_broker
from running_stream import PATIENCE_S

from openshelf import broker
from openshelf.errors import BrokerError, SettingsError
from openshelf.settings import Settings, get_settings

SCRAM = "SCRAM-SHA-256"
# Whoever answers does so within this time also on a busy machine.
LONG_S = 30.0


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "METADATA_TIMEOUT_S", LONG_S)


def settings(address: str, security: str = "plaintext", **more: Any) -> Settings:
    return Settings(brokers=address, broker_security=security, **more)  # pyright: ignore[reportArgumentType]


def credentials(**changes: Any) -> dict[str, Any]:
    return {"broker_username": USERNAME, "broker_password": PASSWORD} | changes


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (fake_brokers.say_nothing, "does not answer (no word of the Kafka protocol within 1 s). Is it up"),
        (fake_brokers.close_at_once, "does not answer (no word of the Kafka protocol within 1 s). Is it up"),
        (fake_brokers.say_half, "does not answer (no word of the Kafka protocol within 1 s). Is it up"),
        (fake_brokers.speak_http, "is no Kafka broker (Receive failed: Invalid response size"),
    ],
)
@pytest.mark.parametrize("security", ["plaintext", "ssl"])
def test_what_is_no_broker_is_said_in_one_line_with_its_address(
    monkeypatch: pytest.MonkeyPatch, behave: Behaviour, said: str, security: str
) -> None:
    monkeypatch.setattr(broker, "METADATA_TIMEOUT_S", 1.0 if "within 1 s" in said else LONG_S)
    with serving(behave) as address, pytest.raises(BrokerError) as error:
        broker.check(settings(address, security))

    message = str(error.value)
    assert address in message
    assert "OPENSHELF_BROKER" in message
    assert "\n" not in message
    if security == "plaintext":
        assert said in message


def test_nobody_at_the_address_and_no_such_address_are_told_apart() -> None:
    with pytest.raises(BrokerError, match=r"the broker 127\.0\.0\.1:9 does not answer \(.*Connection refused\)"):
        broker.check(settings("127.0.0.1:9"))
    with pytest.raises(BrokerError, match=r"the broker nowhere\.invalid:9092 has no address .*OPENSHELF_BROKERS"):
        broker.check(settings("nowhere.invalid:9092"))


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("mechanism", ["PLAIN", SCRAM])
@pytest.mark.parametrize("wrong", [{"broker_password": "open barley"}, {"broker_username": "cassim"}])
def test_credentials_that_the_broker_refuses_are_said_without_showing_them(mechanism: str, wrong: dict) -> None:
    with serving(ask_for_credentials(mechanism)) as address, pytest.raises(BrokerError) as error:
        broker.check(settings(address, "sasl_plaintext", broker_sasl_mechanism=mechanism, **credentials(**wrong)))

    message = str(error.value)
    assert f"the broker {address} refuses the credentials" in message
    assert "OPENSHELF_BROKER_PASSWORD" in message
    assert "barley" not in message


@pytest.mark.usefixtures("patient")
def test_a_mechanism_that_the_broker_does_not_offer_is_a_refusal() -> None:
    with (
        serving(ask_for_credentials(SCRAM)) as address,
        pytest.raises(BrokerError, match=r"refuses the credentials .*PLAIN.*OPENSHELF_BROKER_SASL_MECHANISM"),
    ):
        broker.check(settings(address, "sasl_plaintext", broker_sasl_mechanism="PLAIN", **credentials()))


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("mechanism", ["PLAIN", SCRAM, None])
def test_the_right_credentials_open_the_door(mechanism: str | None) -> None:
    with serving(ask_for_credentials(mechanism or SCRAM)) as address:
        found = broker.check(settings(address, "sasl_plaintext", broker_sasl_mechanism=mechanism, **credentials()))

    assert found.brokers[1].port == int(address.split(":")[1])


@pytest.mark.usefixtures("patient")
def test_tls_needs_someone_who_vouches_for_the_broker(tmp_path: Path) -> None:
    tls, vouching = fake_brokers.certificate(tmp_path)

    with serving(ask_for_credentials(SCRAM), tls) as address:
        with pytest.raises(BrokerError, match=r"we agree on no TLS .*certificate verify failed.*BROKER_CA_FILE"):
            broker.check(settings(address, "sasl_ssl", **credentials()))
        with pytest.raises(BrokerError, match="refuses the credentials"):
            broker.check(
                settings(address, "sasl_ssl", broker_ca_file=vouching, **credentials(broker_password="open barley"))
            )
        found = broker.check(settings(address, "sasl_ssl", broker_ca_file=vouching, **credentials()))

    assert found.brokers


def test_tls_on_one_side_only_points_at_the_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tls, _ = fake_brokers.certificate(tmp_path)

    monkeypatch.setattr(broker, "METADATA_TIMEOUT_S", 1.0)
    with mock_broker() as address, pytest.raises(BrokerError, match="OPENSHELF_BROKER_SECURITY"):
        broker.check(settings(address, "ssl"))
    with (
        serving(ask_for_credentials(SCRAM), tls) as address,
        pytest.raises(BrokerError, match="OPENSHELF_BROKER_SECURITY"),
    ):
        broker.check(settings(address))


def test_a_file_that_vouches_for_nobody_is_said(tmp_path: Path) -> None:
    (rubbish := tmp_path / "ca.pem").write_text("not a certificate")

    with pytest.raises(BrokerError, match=r"OPENSHELF_BROKER_\.\.\. cannot be used .*ssl\.ca\.location"):
        broker.check(settings("127.0.0.1:9", "ssl", broker_ca_file=rubbish))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SECURITY": "tls"}, "OPENSHELF_BROKER_SECURITY"),
        ({"SECURITY": "sasl_ssl"}, "OPENSHELF_BROKER_USERNAME is needed with OPENSHELF_BROKER_SECURITY=sasl_ssl"),
        ({"SECURITY": "sasl_ssl", "USERNAME": "x"}, "OPENSHELF_BROKER_PASSWORD is needed"),
        ({"PASSWORD": "hunter2"}, "OPENSHELF_BROKER_PASSWORD says nothing with OPENSHELF_BROKER_SECURITY=plaintext"),
        ({"SECURITY": "ssl", "USERNAME": "x"}, "OPENSHELF_BROKER_USERNAME says nothing with"),
        ({"SASL_MECHANISM": "PLAIN"}, "OPENSHELF_BROKER_SASL_MECHANISM says nothing with"),
        ({"SASL_MECHANISM": "KERBEROS"}, "OPENSHELF_BROKER_SASL_MECHANISM"),
        ({"SECURITY": "ssl", "CA_FILE": "/nowhere.pem"}, "OPENSHELF_BROKER_CA_FILE: there is no file"),
        ({"CA_FILE": __file__}, "OPENSHELF_BROKER_CA_FILE says nothing with"),
        ({"REPLICATION": "0"}, "OPENSHELF_BROKER_REPLICATION"),
    ],
)
def test_settings_that_do_not_go_together_name_the_variable(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"OPENSHELF_BROKER_{name}", value)
    get_settings.cache_clear()

    with pytest.raises(SettingsError) as error:
        get_settings()

    get_settings.cache_clear()
    assert said in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("address", ["localhost", "localhost:", "localhost:99999", "http://localhost:9092", "a:1,,b:2"])
def test_an_address_that_is_none_is_refused_at_start(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("OPENSHELF_BROKERS", address)
    get_settings.cache_clear()

    with pytest.raises(SettingsError, match=r"OPENSHELF_BROKERS: .* must be host:port"):
        get_settings()

    get_settings.cache_clear()


def test_several_addresses_and_one_of_them_with_someone_are_enough() -> None:
    with mock_broker() as address:
        assert broker.check(settings(f"127.0.0.1:9, {address}")).brokers


def test_every_command_that_needs_the_broker_says_so_in_one_line_and_ends(database: str) -> None:
    commands = (["stream", "run"], ["stream", "run", "--workers", "2"], ["stream", "relay"], ["doctor"])
    with serving(fake_brokers.say_nothing) as address:
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "openshelf", *words],
                env=os.environ | {"OPENSHELF_BROKERS": address},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for words in commands
        ]
        ended = [(process.communicate(timeout=PATIENCE_S)[0], process.returncode) for process in started]

    for said, code in ended:
        about = [line for line in said.splitlines() if f"the broker {address} does not answer" in line]
        assert code == 1, said
        assert len(about) == 1, said
        assert "Traceback" not in said
    assert all(len(said.splitlines()) == 1 for said, _ in ended[:-1])
