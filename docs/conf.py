"""How Sphinx builds these pages: `make docs`, or `python -m sphinx -W --keep-going docs docs/_build/html`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the source, whatever else is installed

import tbasync

project = "tbasync"
release = version = tbasync.__version__
project_copyright = "the tbasync authors, Apache-2.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
highlight_language = "none"  # of what does not say its own: commands and drawings
html_title = f"tbasync {release}"

# Pages link to headings by the anchors that GitHub gives them; those of compatibility.md go down to the fourth level.
myst_heading_anchors = 4

# Docstrings put names and code into single backticks.
default_role = "code"
napoleon_numpy_docstring = False
napoleon_use_rtype = False  # the signature has the type
autoclass_content = "both"  # the class and what its constructor takes
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
maximum_signature_line_length = 100  # characters, beyond which each argument has a line
autodoc_preserve_defaults = True
# The frameworks that integrations subclass, so that the pages need none of them.
autodoc_mock_imports = [
    "accelerate",
    "keras",
    "lightning",
    "pytorch_lightning",
    "lightning_fabric",
    "torch",
    "transformers",
]

# Every name of tbasync's in a signature must be on a page; those of other packages, and type variables, need not.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!tbasync\.).*"), ("py:.*", r"tbasync\..*\._\w+")]
