"""How the documentation is built: by ``.ci/docs``, or by ``sphinx-build -W docs build/docs`` with gns_py installed.

Sphinx, and not Material for MkDocs: the reference comes from the docstrings and the tables from the enums at build
time, each name in them has to resolve, and Sphinx does all of that itself, with warnings as errors. Material for MkDocs
has been in maintenance mode since November 2025, with fixes promised for a year, MkDocs 1.x has no maintainer, and what
is to replace both makes no reference out of docstrings yet. The pages are Markdown all the same (MyST), so that they
can be read where they lie.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gns_py

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "gns_py"
author = "gns_py contributors"
copyright = author  # noqa: A001 - Sphinx's name for it
release = version = gns_py.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "gns_reference", "gns_tables"]
exclude_patterns = ["_ext"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"gns_py {release}"
html_copy_source = False
html_show_sourcelink = False
html_static_path: list[str] = []

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

# Every name in a signature and in a docstring has to be documented here, or to be the standard library's, which is not
# looked up: a build needs no network.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(int|float|str|bytes|bool|object|None|tuple|list|dict|set|type|memoryview|property)"),
    (r"py:.*", r"(collections|asyncio|contextlib|enum|ipaddress|threading|types|typing|typing_extensions)\..*"),
    # TypeVars, which stand for the Connection or the Session of either API.
    (r"py:(class|obj)", r"(gns_py\.(\w+\.)+)?[CS]"),
    (
        r"py:(class|exc|obj)",
        r"([A-Z]\w*(Error|Exception|Warning)|KeyboardInterrupt|Any|Buffer|Callable|StatusCallback|OnRequest|Generic|Enum|Int(Enum|Flag))",
    ),
]
