"""Renderers of a run record: HTML, JSON, JUnit and evidence files. They know nothing but the record."""

from __future__ import annotations

from reports.html import prepare
from reports.index import render_index
from reports.rendering import render

__all__ = ["prepare", "render", "render_index"]
