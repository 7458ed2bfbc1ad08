"""dcmjs-dimse on Node.js: found where `npm install dcmjs-dimse dcmjs` put it (PS315_NODE_MODULES), else missing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.process import Peer, PeerMissing, free_port, program, running

_PROGRAM = """
const fs = require('fs');
const { Server, Scp, responses, constants } = require('dcmjs-dimse');
const [port, certificate, key] = process.argv.slice(2);
class Echo extends Scp {
  associationRequested(association) {
    for (const context of association.getPresentationContexts()) {
      const offered = association.getPresentationContext(context.id);
      if (offered.getAbstractSyntaxUid() === constants.SopClass.Verification)
        offered.setResult(constants.PresentationContextResult.Accept, offered.getTransferSyntaxUids()[0]);
      else offered.setResult(constants.PresentationContextResult.RejectAbstractSyntaxNotSupported);
    }
    this.sendAssociationAccept();
  }
  cEchoRequest(request, callback) {
    const response = responses.CEchoResponse.fromRequest(request);
    response.setStatus(constants.Status.Success);
    callback(response);
  }
  associationReleaseRequested() { this.sendAssociationReleaseResponse(); }
}
const server = new Server(Echo);
server.on('networkError', () => {});
server.listen(Number(port), { securityOptions: { key: fs.readFileSync(key), cert: fs.readFileSync(certificate) } });
"""


@contextmanager
def dcmjs_dimse(pki: Pki, directory: Path, options: Mapping[str, str]) -> Iterator[Peer]:
    """No options: the library with Node's default suites."""
    modules = Path(os.environ.get("PS315_NODE_MODULES", "node_modules")).resolve()
    if not (modules / "dcmjs-dimse").is_dir():
        raise PeerMissing(f"dcmjs-dimse is not installed in {modules} (PS315_NODE_MODULES)", optional=True)
    path, port = program("node"), free_port()
    directory.mkdir(parents=True, exist_ok=True)
    script = directory / "scp.js"
    script.write_text(_PROGRAM, encoding="utf-8")
    arguments = [path, str(script), str(port), str(pki.certificate_file("server")), str(pki.key_file("server"))]
    with running(arguments, port, directory, name="dcmjs-dimse", environment={"NODE_PATH": str(modules)}) as log:
        yield Peer("127.0.0.1", port, log)
