"""Options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_OUT = Path("ps315-report")

Out = Annotated[Path, typer.Option("--out", help="Folder for record and report.")]
ProbedProfile = Annotated[
    str | None, typer.Option("--profile", help="Profile to judge by (default: B.12, and A.6 for syslog).")
]
OtherProfile = Annotated[
    str | None, typer.Option("--profile", help="Judge by this profile instead of what was claimed.")
]
Edition = Annotated[str | None, typer.Option("--edition", help="Edition of the profile (default: the last with it).")]
OtherEdition = Annotated[
    str | None, typer.Option("--edition", help="Judge by this edition instead of what was claimed.")
]
Faults = Annotated[
    list[str] | None, typer.Option("--fault", help="Switch on a fault of the node; may be repeated.", metavar="NAME")
]
NodeProtocol = Annotated[
    str | None,
    typer.Option("--protocol", help="What the node's port is for: dicom-tls or https (default: as the fault needs)."),
]
CampaignFolder = Annotated[
    Path | None, typer.Option("--campaign", help="Test campaign that ps315 pki made.", metavar="FOLDER")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in the folder.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what an earlier run left in the folder.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no summary.")]
NonInteractive = Annotated[bool, typer.Option("--non-interactive", help="Never ask the operator.")]
OperatorPage = Annotated[
    str | None,
    typer.Option(
        "--operator-page",
        help="Show what to do on a web page, too (without HOST:PORT: for this computer alone).",
        metavar="[HOST:PORT]",
    ),
]
AllowInconclusive = Annotated[
    bool, typer.Option("--allow-inconclusive", help="End with 0 although something stayed inconclusive.")
]
NoSecondOpinion = Annotated[bool, typer.Option("--no-second-opinion", help="Do not ask another scanner.")]
Gentle = Annotated[
    bool,
    typer.Option("--gentle", help="One connection at once, 5 a second, no second opinion."),
]
Intrusive = Annotated[bool, typer.Option("--intrusive", help="Allow steps that may disturb the device.")]
Suites = Annotated[
    list[Path] | None, typer.Option("--suite", help="Folder of a suite of your own; may be repeated.", metavar="PATH")
]
KeyLogFile = Annotated[
    Path | None,
    typer.Option("--keylog", help="Write session secrets for Wireshark.", metavar="FILE"),
]
Pcap = Annotated[bool, typer.Option("--pcap", help="Write evidence/exchanges.pcap for Wireshark.")]
Sign = Annotated[Path | None, typer.Option("--sign", help="Key that signs the report.", metavar="KEY")]
SignCertificate = Annotated[
    Path | None,
    typer.Option("--sign-cert", help="Certificate of that key.", metavar="CERT"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Certificate = Annotated[
    Path | None,
    typer.Option("--cert", help="Client certificate (chain), PEM.", metavar="FILE"),
]
Key = Annotated[Path | None, typer.Option("--key", help="Its key, PEM.", metavar="FILE")]
Authorities = Annotated[Path | None, typer.Option("--ca", help="Trust anchors, PEM.", metavar="FILE")]
