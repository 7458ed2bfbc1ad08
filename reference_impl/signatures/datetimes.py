"""Times as DICOM writes them in values of VR DT (PS3.5 6.2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone


def has_offset(text: str) -> bool:
    """Whether a DT value tells its offset from UTC."""
    return "+" in text or "-" in text


def parsed_time(text: str) -> datetime | None:
    """The time that a DT value (PS3.5 6.2) states; None where it states none that is exact to the day.

    Without an offset it is taken for UTC.
    """
    sign = "+" if "+" in text else "-"
    stated, _, offset = text.partition(sign)
    whole, _, fraction = stated.partition(".")
    if not whole.isdigit() or len(whole) not in {8, 10, 12, 14}:
        return None
    try:
        zone = UTC
        if offset:
            minutes = int(offset[:2]) * 60 + int(offset[2:4])
            zone = timezone(timedelta(minutes=minutes if sign == "+" else -minutes))
        numbers = [int(whole[:4]), *(int(whole[at : at + 2]) for at in range(4, len(whole), 2))]
        micro = int(fraction[:6].ljust(6, "0")) if fraction else 0
        if len(numbers) == 6 and numbers[5] == 60:  # a leap second
            numbers[5] = 59
        year, month, day, hour, minute, second = [*numbers, 0, 0, 0][:6]
        return datetime(year, month, day, hour, minute, second, micro, zone)
    except (ValueError, OverflowError):
        return None
