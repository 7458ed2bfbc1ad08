"""Syslog for audit trails: messages (RFC 5424), over TLS (RFC 5425, RFC 9662) and UDP (RFC 5426), both ways."""
