"""What a SUT file says of an audit source or repository, from the flags of ``ps315 init``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import UsageProblem
from harness.sut_parts import AUDIT_PROFILES

_BY_CONNECTIONS = "A.6"
"""The profile that is judged by connections, too: by those alone where no flag speaks of messages."""


def usual_profile(*, events: Sequence[str], captured: str, reading: tuple[str, str], protocol: str | None) -> str:
    """The profile that is meant where flags of the audit trail name none; empty: there are no such flags."""
    if events or any(reading):
        return "A.7" if protocol == "syslog-udp" else "A.6"
    return "A.5" if captured else ""


@dataclass(frozen=True)
class AuditTrail:
    """`profiles` are those that are judged by audit messages; `protocol` is that of the syslog endpoints.

    `events` are what it reports to us, `captured` is where its messages are, `reading` the file and the command by
    which it is told what it keeps as a repository.
    """

    profiles: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    captured: str = ""
    reading_file: str = ""
    reading_command: str = ""
    protocol: str = "syslog-tls"

    @classmethod
    def of(
        cls,
        profiles: Sequence[str],
        *,
        events: Sequence[str],
        captured: str,
        reading: tuple[str, str],
        protocol: str | None,
    ) -> AuditTrail:
        """What the flags say. Without any, captured messages are awaited in a folder for profiles of messages alone.

        Raises `UsageProblem` for an event that there is not, and for flags without a profile that they are for.
        """
        from harness.sut_audit import checked_event

        said = bool(events or captured or any(reading))
        mine = [name for name in profiles if name in AUDIT_PROFILES and (said or name != _BY_CONNECTIONS)]
        if said and not mine:
            raise UsageProblem(
                "--event, --captured-folder and --reading-... are for A.5, A.6, A.7 and IHE-ATX-...; "
                f"name one of these by --profile, too, and not {', '.join(profiles)} alone"
            )
        for name in events:
            try:
                checked_event(name)
            except ValueError as problem:
                raise UsageProblem(f"--event: {problem}") from None
        if mine and not said:
            captured = "captured"
        over_udp = [name for name in mine if "syslog-tls" not in AUDIT_PROFILES[name]]
        chosen = protocol if protocol in {"syslog-tls", "syslog-udp"} else "syslog-udp" if over_udp else "syslog-tls"
        trail = cls(tuple(mine), tuple(dict.fromkeys(events)), captured, *reading, chosen)
        if nowhere := [name for name in mine if not trail.claimed(name)]:
            raise UsageProblem(
                f"--profile {nowhere[0]}: is judged at {AUDIT_PROFILES[nowhere[0]][0]} endpoints, these are {chosen}; "
                "write a SUT file for each"
            )
        return trail

    def judges(self, profile: str) -> bool:
        """Whether `profile` is judged by audit messages here."""
        return profile in self.profiles

    @property
    def known_events(self) -> list[str]:
        """The names of events, in lines of a comment."""
        from textwrap import wrap

        from reference_impl.audit.events import events

        return wrap(", ".join(events()), 116, break_on_hyphens=False)

    @property
    def is_kept(self) -> bool:
        """Whether it keeps messages that we send, and has a port for them."""
        return bool(self.reading_file or self.reading_command)

    @property
    def connects(self) -> bool:
        """Whether there are connections, and so a host."""
        return bool(self.events) or self.is_kept

    @property
    def protocols(self) -> Mapping[str, str]:
        """The protocol of each of its endpoints."""
        return {"trail": self.protocol, "captured": "files", "repository": self.protocol}

    def claimed(self, profile: str) -> list[tuple[str, str]]:
        """The roles in which it is claimed, each with its endpoint; at those whose protocol `profile` is for."""
        wanted = [
            ("audit-source", "trail", bool(self.events)),
            ("audit-source", "captured", bool(self.captured)),
            ("audit-repository", "repository", self.is_kept),
        ]
        here = AUDIT_PROFILES[profile]
        return [(role, endpoint) for role, endpoint, holds in wanted if holds and self.protocols[endpoint] in here]
