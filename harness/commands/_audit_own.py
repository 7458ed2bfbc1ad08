"""What ``ps315 audit serve`` makes where nothing was given: a folder with database, certificates and a user."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

_FILES = ("server.pem", "server.key", "client.pem", "client.key", "anchors.pem")


class Own:
    """Files in `folder`, made when first wanted and used again afterwards."""

    user = "auditor"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.password = ""  # where a user was made

    @property
    def database(self) -> Path:
        """The SQLite file; its folder is made."""
        return self._made(self._folder) / "audit.sqlite"

    @property
    def certificate(self) -> Path:
        """The certificate of the repository, for localhost and 127.0.0.1."""
        return self._folder / "pki" / "server.pem"

    @property
    def key(self) -> Path:
        """Its key."""
        return self._folder / "pki" / "server.key"

    @property
    def client_certificate(self) -> Path:
        """The certificate of a node."""
        return self._folder / "pki" / "client.pem"

    @property
    def client_key(self) -> Path:
        """Its key."""
        return self._folder / "pki" / "client.key"

    @property
    def anchors(self) -> Path:
        """The authorities of both."""
        return self._folder / "pki" / "anchors.pem"

    def make_certificates(self) -> None:
        """Make certificates of test authorities, unless there are some that are valid for another day."""
        from fixtures.pki import Pki

        place = self._made(self._folder / "pki")
        if all((place / name).is_file() for name in _FILES) and self._is_valid():
            return
        pki = Pki.create(place)
        for case in ("server", "client"):
            pki.certificate_file(case)
            pki.key_file(case)
        pki.trust_anchors_file()

    def make_users(self) -> Path:
        """A file of users, with one whose password is told once, unless there is one."""
        import secrets

        from reference_impl.audit.repository.web.users import write_user

        path = self._made(self._folder) / "users"
        if not path.is_file():
            self.password = secrets.token_urlsafe(12)
            write_user(path, self.user, self.password)
        return path

    def _is_valid(self) -> bool:
        from cryptography import x509

        try:
            certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        except (OSError, ValueError):
            return False
        return certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=1)

    def _made(self, folder: Path) -> Path:
        from harness.errors import UsageProblem

        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            raise UsageProblem(f"--directory: {folder} cannot be made: {problem.strerror}") from None
        return folder
