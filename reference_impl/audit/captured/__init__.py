"""Audit messages out of what people have: files and folders of XML, captures of syslog, captures of packets.

`captured` finds out by itself what a file holds. Nothing is kept in memory but the message at hand.
"""

from reference_impl.audit.captured.files import captured, from_stream
from reference_impl.audit.captured.model import Captured, CaptureLimits, Unread

__all__ = ["CaptureLimits", "Captured", "Unread", "captured", "from_stream"]
