"""How Sphinx builds the docs: `uv run sphinx-build -W docs docs/_build/html`."""

from importlib.metadata import version as version_of

project = "Wellhead"
author = "The Wellhead founders"
copyright = "2026, The Wellhead founders"
release = version = version_of("wellhead")

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
nitpicky = True

html_theme = "furo"
html_title = f"Wellhead {release}"
