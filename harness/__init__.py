"""The engine: SUT description, plan, probes, record, judging. What vendors import for suites of their own is exported here."""
