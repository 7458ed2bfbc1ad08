"""The judgements: one folder per domain, each with its requirements.toml and its test modules."""
