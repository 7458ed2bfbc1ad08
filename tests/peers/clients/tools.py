"""The command-line clients of OpenSSL, GnuTLS, curl, and dcmjs-dimse on Node.js."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from harness.dicom_ul import associate_rq
from tests.peers.clients.command import Client, Identity, command_of
from tests.peers.starters.process import PeerMissing, program

_PROGRAM = """
const fs = require('fs');
const { Client, requests } = require('dcmjs-dimse');
const [host, port, called, calling, certificate, key, anchors] = process.argv.slice(2);
const client = new Client();
const echo = new requests.CEchoRequest();
let status = 1;
echo.on('response', (response) => { status = response.getStatus(); });
client.addRequest(echo);
client.on('networkError', () => { status = 3; });
process.on('exit', () => { process.exitCode = status; });
const read = (path) => fs.readFileSync(path);
client.send(host, Number(port), calling, called, { connectTimeout: 5000, associationTimeout: 5000, pduTimeout: 5000,
  securityOptions: { key: read(key), cert: read(certificate), ca: read(anchors), rejectUnauthorized: true } });
setTimeout(() => process.exit(4), 8000).unref();
"""


def s_client(identity: Identity, directory: Path, options: Mapping[str, str]) -> Client:
    """OpenSSL's client; it sends an A-ASSOCIATE-RQ. Options: `verify` ("yes": path and host name, "no": nothing),
    `more` (further arguments, separated by blanks)."""
    request = directory / "associate-rq.bin"
    request.write_bytes(associate_rq("PS315-SUT", "PS315-HARNESS"))
    arguments: list[str | Path] = [
        program("openssl"), "s_client", "-quiet", "-no_ign_eof", "-connect", "{host}:{port}", "-servername", "{host}",
        "-cert", identity.certificate, "-key", identity.key, "-CAfile", identity.trust_anchors,
    ]  # fmt: skip
    if options.get("verify", "yes") == "yes":
        arguments += ["-verify_return_error", "-verify_hostname", "{host}", "-x509_strict"]
    arguments += options.get("more", "").split()
    return Client(f"{command_of(arguments)} < {command_of([request])}")


def gnutls_cli(identity: Identity, directory: Path, options: Mapping[str, str]) -> Client:
    """GnuTLS's client; it sends an A-ASSOCIATE-RQ. Options: `priority` (GnuTLS's priority string)."""
    request = directory / "associate-rq.bin"
    request.write_bytes(associate_rq("PS315-SUT", "PS315-HARNESS"))
    arguments: list[str | Path] = [
        program("gnutls-cli"), "--x509cafile", identity.trust_anchors, "--x509certfile", identity.certificate,
        "--x509keyfile", identity.key, "--priority", options.get("priority", "NORMAL"), "-p", "{port}", "{host}",
    ]  # fmt: skip
    return Client(f"{command_of(arguments)} < {command_of([request])}")


def curl(identity: Identity, directory: Path, options: Mapping[str, str]) -> Client:
    """curl, for DICOMweb. Options: `more` (further arguments, separated by blanks)."""
    del directory
    arguments: list[str | Path] = [
        program("curl"), "--silent", "--show-error", "--max-time", "8", "--cacert", identity.trust_anchors,
        "--cert", identity.certificate, "--key", identity.key, *options.get("more", "").split(),
    ]  # fmt: skip
    return Client(f"{command_of(arguments)} https://{{host}}:{{port}}/", protocol="https")


def dcmjs_dimse(identity: Identity, directory: Path, options: Mapping[str, str]) -> Client:
    """No options: the library with Node's defaults, found where `PS315_NODE_MODULES` says."""
    del options
    modules = Path(os.environ.get("PS315_NODE_MODULES", "node_modules")).resolve()
    if not (modules / "dcmjs-dimse").is_dir():
        raise PeerMissing(f"dcmjs-dimse is not installed in {modules} (PS315_NODE_MODULES)", optional=True)
    script = directory / "scu.js"
    script.write_text(_PROGRAM, encoding="utf-8")
    arguments: list[str | Path] = [
        "env", f"NODE_PATH={modules}", program("node"), script, "{host}", "{port}", "{called_aet}", "{calling_aet}",
        identity.certificate, identity.key, identity.trust_anchors,
    ]  # fmt: skip
    return Client(command_of(arguments))
