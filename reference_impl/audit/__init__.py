"""Audit trail: messages (PS3.15 A.5), their transmission by syslog (A.6, A.7), sources and a repository."""
