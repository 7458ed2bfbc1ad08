"""The rules that audit messages are held against: schema, conventions of A.5.2, tables of A.5.3, plausibility."""
