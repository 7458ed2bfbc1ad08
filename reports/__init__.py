"""Renderers of a run record: HTML, JSON, JUnit and evidence files. They know nothing but the record."""
