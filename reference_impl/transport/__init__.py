"""Secure transport (PS3.15 Annex B): TLS front, protocol tables and wire formats."""
