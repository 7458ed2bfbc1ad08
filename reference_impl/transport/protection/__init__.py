"""Key agreement, key schedules and record protection of TLS 1.0 to 1.3 over `cryptography`, sans-I/O.

What stands here is how TLS uses the primitives, never a primitive itself.
"""
