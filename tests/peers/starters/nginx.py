"""nginx as an HTTPS server that answers every request with one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.process import Peer, free_port, program, running

_CONFIGURATION = """
pid {directory}/nginx.pid; error_log {directory}/error.log; worker_processes 1; daemon off; {user}
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl; server_name localhost;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_protocols {protocols}; ssl_ciphers {ciphers}; ssl_prefer_server_ciphers on;
    {more}
    location / {{ return 200 "ready\\n"; }}
  }}
}}
"""


@contextmanager
def nginx(pki: Pki, directory: Path, options: Mapping[str, str]) -> Iterator[Peer]:
    """Options: `protocols`, `ciphers`, `more` (further directives of the server block; ANCHORS stands for
    the trust anchors' file)."""
    path, port = program("nginx"), free_port()
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            directory=directory,
            port=port,
            user="",
            certificate=pki.certificate_file("server"),
            key=pki.key_file("server"),
            protocols=options.get("protocols", "TLSv1.2 TLSv1.3"),
            ciphers=options.get("ciphers", "ECDHE+AESGCM:ECDHE+CHACHA20"),
            more=options.get("more", "").replace("ANCHORS", str(pki.trust_anchors_file())),
        ),
        encoding="utf-8",
    )
    arguments = [path, "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(configuration)]
    with running(arguments, port, directory, name="nginx") as log:
        yield Peer("127.0.0.1", port, log)
