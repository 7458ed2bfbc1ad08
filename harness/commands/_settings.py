"""What a command line says about a run, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageProblem

if TYPE_CHECKING:
    from harness.observe import Conduct


@dataclass(frozen=True)
class Settings:
    """Options of one run. `command` is "run", "probe" or "demo"; `suites` are folders of vendors' own suites."""

    command: str
    out: Path
    resume: bool = False
    force: bool = False
    quiet: bool = False
    non_interactive: bool = False
    allow_inconclusive: bool = False
    second_opinion: bool = True
    gentle: bool = False
    intrusive: bool = False
    suites: tuple[Path, ...] = ()
    keylog: Path | None = None
    pcap: bool = False
    sign: Path | None = None
    sign_certificate: Path | None = None
    json: bool = False
    operator_page: tuple[str, int] | None = None

    @property
    def asks_second_opinion(self) -> bool:
        """Whether another scanner may be asked: it does not keep the gentle budget."""
        return self.second_opinion and not self.gentle

    def conduct(self) -> Conduct:
        """The limits that these options mean."""
        from dataclasses import replace

        from harness.observe import GENTLE, Conduct

        conduct = GENTLE if self.gentle else Conduct()
        if self.command == "demo":  # its SUT shares this process, and its time: it is waited for longer
            conduct = replace(conduct, deadlines=replace(conduct.deadlines, patience=conduct.deadlines.silence))
        return replace(conduct, intrusive=self.intrusive, keep_secrets=self.keylog is not None)


def check_output_options(sign: Path | None, certificate: Path | None, suites: tuple[Path, ...] = ()) -> None:
    """Raise `UsageProblem` for what would fail only after the SUT was contacted."""
    if (sign is None) != (certificate is None):
        given, other = ("--sign", "--sign-cert") if certificate is None else ("--sign-cert", "--sign")
        raise UsageProblem(f"{given} is given without {other}; a signature needs key and certificate")
    for option, path in (("--sign", sign), ("--sign-cert", certificate)):
        if path is not None and not path.is_file():
            raise UsageProblem(f"{option} {path}: there is no such file; give a PEM file")
    if sign is not None and certificate is not None:
        from harness.credentials import CredentialSources, load_credentials

        sources = CredentialSources(client_certificate=str(certificate), client_key=str(sign))
        load_credentials(
            sources, folder=Path(), source="", called={"client_certificate": "--sign-cert", "client_key": "--sign"}
        )
    for folder in suites:
        if not folder.is_dir():
            raise UsageProblem(f"--suite {folder}: there is no such folder; give a folder with requirements.toml")
