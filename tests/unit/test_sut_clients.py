"""The SUT file of a device that connects: where we listen, what makes it come, one sentence for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageProblem
from harness.sut import Sut, load_sut, parse_sut
from harness.sut_clients import PLACEHOLDERS, fill, placeholders

CLIENT = """
schema = 1
[identity]
id = "ct"
[endpoints.scu]
host = "127.0.0.1"
[endpoints.scu.listen]
driver = "echo"
[endpoints.dimse]
host = "127.0.0.1"
port = 2762
[drivers.echo]
command = "echoscu +tls {host} {port}"
[[claims]]
profile = "B.12"
role = "tls-client"
endpoint = "scu"
"""
MOVE = 'dimse = "c-move"\nendpoint = "dimse"\nstudy = "1.2.3"'
COMMAND = 'command = "echoscu +tls {host} {port}"'


def parse(text: str) -> Sut:
    return parse_sut(text, source="ct.toml", folder=Path())


def problem(text: str) -> str:
    with pytest.raises(UsageProblem) as raised:
        parse(text)
    return str(raised.value)


def test_a_client_has_the_documented_defaults() -> None:
    record = parse(CLIENT).record.endpoints[0]
    assert (record.port, record.called_aet, record.calling_aet) == (0, "PS315-HARNESS", "ANY-SCU")
    assert record.connects
    listen = record.listen
    assert listen is not None
    assert (listen.address, listen.name, listen.port, listen.ports) == ("127.0.0.1", "127.0.0.1", 0, "one")
    assert (listen.driver, listen.driver_kind, listen.seconds, listen.trials) == ("echo", "command", 60.0, ())


@pytest.mark.parametrize(
    ("host", "listen", "address", "name"),
    [
        ("localhost", "", "127.0.0.1", "127.0.0.1"),
        ("::1", "", "::1", "::1"),
        ("192.0.2.7", 'name = "harness.example.org"', "0.0.0.0", "harness.example.org"),  # noqa: S104
        ("2001:db8::7", 'name = "harness.example.org"', "::", "harness.example.org"),
        ("192.0.2.7", 'address = "192.0.2.1"', "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", 'address = "0.0.0.0"', "0.0.0.0", "localhost"),  # noqa: S104
    ],
)
def test_address_and_name_follow_from_where_the_device_is(host: str, listen: str, address: str, name: str) -> None:
    text = CLIENT.replace(
        'host = "127.0.0.1"\n[endpoints.scu.listen]', f'host = "{host}"\n[endpoints.scu.listen]\n{listen}'
    )
    recorded = parse(text).record.endpoints[0].listen
    assert recorded is not None
    assert (recorded.address, recorded.name) == (address, name)


def test_a_person_or_a_request_may_be_the_driver() -> None:
    listen = 'driver = "echo"'
    for replaced, kind in (
        (CLIENT.replace(listen, "port = 11113"), "operator"),
        (CLIENT.replace(COMMAND, 'operator = "Send it."').replace(listen, f"port = 11113\n{listen}"), "operator"),
        (CLIENT.replace(COMMAND, MOVE).replace(listen, f"port = 11113\n{listen}"), "dimse"),
        (CLIENT.replace(listen, 'driver = "embedded"'), "embedded"),
    ):
        assert parse(replaced).driver_kind("scu") == kind


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('driver = "echo"', "", "endpoints.scu.listen: port is missing: an operator cannot be told"),
        (COMMAND, 'operator = "Send it."', "endpoints.scu.listen: port is missing: the driver 'echo'"),
        ('driver = "echo"', 'driver = "ecko"', "names the driver 'ecko', which [drivers] lacks (it has: echo)"),
        ('driver = "echo"', 'drvier = "echo"', "did you mean 'driver'"),
        ('driver = "echo"', 'driver = "echo"\nport = 70000', "endpoints.scu.listen.port"),
        ('driver = "echo"', 'driver = "echo"\nseconds = 0', "endpoints.scu.listen.seconds"),
        ('driver = "echo"', 'driver = "echo"\nseconds = 1e9', "at most 3600"),
        ('driver = "echo"', 'driver = "echo"\nports = "many"', "a port that plays the trials in turn"),
        ('driver = "echo"', 'driver = "echo"\naddress = "eth0"', "is no address of this computer"),
        ('driver = "echo"', 'driver = "echo"\nname = "https://x"', "is no host name"),
        ('[endpoints.scu.listen]\ndriver = "echo"', "", "endpoints.scu: port is missing"),
        ('[endpoints.scu.listen]\ndriver = "echo"', "port = 1", "as tls-client the SUT connects to us"),
        ("[endpoints.scu.listen]", "port = 1\n[endpoints.scu.listen]", "port is no key of an endpoint that connects"),
        ('role = "tls-client"\n', "", "as tls-server the SUT is connected to"),
        ('role = "tls-client"\nendpoint = "scu"', 'role = "tls-client"\nendpoint = "dimse"', "the endpoint 'dimse'"),
        ('host = "127.0.0.1"\n[endpoints.scu', 'host = "192.0.2.7"\n[endpoints.scu', "listen.name is missing"),
        ("{port}", "{prot}", "{prot} is no placeholder; known: {host} {port} {trust_anchors}"),
        (COMMAND, "", "drivers.echo: has none of command, dimse and operator"),
        (COMMAND, COMMAND + '\noperator = "x"', "drivers.echo: has command and operator"),
        (COMMAND, COMMAND + '\nstudy = "1.2"', "study is no key of a driver with command"),
        (COMMAND, COMMAND + '\ncomand = "x"', "did you mean 'command'"),
        (COMMAND, COMMAND + '\nsecrets = ["PS315_UNSET"]', "the environment variable PS315_UNSET is not set"),
        (COMMAND, 'dimse = "c-get"', 'write "c-move" or "storage-commitment"'),
        (COMMAND, 'dimse = "c-move"\nstudy = "1.2"', "endpoint is missing"),
        (COMMAND, 'dimse = "c-move"\nendpoint = "dimse"', "study is missing"),
        (COMMAND, 'dimse = "c-move"\nendpoint = "dimse"\nstudy = "1.02"', "is no UID"),
        (COMMAND, 'dimse = "storage-commitment"\nendpoint = "dimse"', "sop_class and sop_instance are missing"),
        (COMMAND, MOVE.replace('"dimse"\nstudy', '"x"\nstudy'), "names the endpoint 'x'"),
        (COMMAND, MOVE.replace('"dimse"\nstudy', '"scu"\nstudy'), "the endpoint 'scu' takes no DIMSE request"),
        ("[drivers.echo]", "[drivers.embedded]", "'embedded' is the driver of a SUT within this program"),
        ("[drivers.echo]", '[drivers."a b"]', "is no driver name"),
    ],
)
def test_what_is_wrong_is_told_with_file_key_and_remedy(before: str, after: str, told: str) -> None:
    assert before in CLIENT
    message = problem(CLIENT.replace(before, after, 1))
    assert told in message
    assert all(line.startswith("ct.toml: ") for line in message.splitlines())


def test_no_file_names_the_driver_of_a_sut_within_this_program(tmp_path: Path) -> None:
    path = tmp_path / "ct.toml"
    path.write_text(CLIENT.replace('driver = "echo"', 'driver = "embedded"'), encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"endpoints\.scu\.listen\.driver: 'embedded'"):
        load_sut(path)


def test_what_a_command_may_know_and_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PS315_TEST_PASSWORD", "open sesame")
    sut = parse(CLIENT.replace(COMMAND, COMMAND + '\nsecrets = ["PS315_TEST_PASSWORD"]'))
    assert b"open sesame" in sut.credentials.secrets
    assert "open sesame" not in repr(sut)


def test_a_listening_endpoint_is_no_target() -> None:
    with pytest.raises(ValueError, match="connects to us"):
        parse(CLIENT).target("scu")


@pytest.mark.parametrize(
    ("command", "filled"),
    [
        ("scu {host}:{port}", "scu h:{host}"),
        ("${host} {{host}} {a,b} { host } {}", "${host} {host} {a,b} { host } {}"),
        ("${A:-{host}}", "${A:-{host}}"),
        ("awk '{print $1}' {host}", "awk '{print $1}' h"),
    ],
)
def test_placeholders_are_filled_once_and_the_shell_keeps_its_own(command: str, filled: str) -> None:
    assert fill(command, {"host": "h", "port": "{host}"}) == filled


@given(st.text(alphabet="{}$ahostp ", max_size=30))
def test_what_names_no_placeholder_stays(command: str) -> None:
    if not placeholders(command) and "{{" not in command:
        assert fill(command, dict.fromkeys(PLACEHOLDERS, "x")) == command
