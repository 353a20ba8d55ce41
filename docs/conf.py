"""How the documentation is built: by `nox -s docs`, or by `sphinx-build -W docs build/docs` with gns_py installed.

It is Sphinx because the reference comes from the docstrings and the tables from the enums at build time, every name in
them has to resolve, and Sphinx does all of that itself with warnings as errors. Material for MkDocs has been in
maintenance mode since November 2025, MkDocs 1.x has no maintainer, and their successors cannot build a reference from
docstrings yet. The pages are Markdown all the same (MyST), so that they can be read in the repository.
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

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "gns_reference",
    "gns_tables",
    "gns_layers",
]
exclude_patterns = ["_ext"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"gns_py {release}"
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["gns_py.css"]

# Docstrings are in Google's form. In them, `name` is code.
napoleon_numpy_docstring = False
napoleon_use_rtype = False
default_role = "code"
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

# Every name in a signature or docstring must be documented here or belong to the standard library. The latter is not
# looked up, so that a build needs no network.
nitpicky = True
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(builtins|collections|asyncio|contextlib|datetime|enum|ipaddress|os|pathlib|signal|ssl|subprocess|threading|types|typing|typing_extensions)\..*",
    ),
    # TypeVars that stand for the Connection or the Session of either API.
    (r"py:(class|obj)", r"(gns_py\.(\w+\.)+)?[CST]"),
    # The library websockets' own.
    (r"py:(class|obj)", r"ServerConnection"),
    (
        r"py:(class|exc|obj)",
        r"([A-Z]\w*(Error|Exception|Warning)|Any|Buffer|Callable|Generic|Enum|Int(Enum|Flag)|datetime|timedelta)",
    ),
    # Aliases, which a reader knows from the text.
    (
        r"py:(class|obj)",
        r"(StatusCallback|On(Request|Dropped|Resumed|GoAway)|Addresses|(Async)?Discovery|Redirect)",
    ),
    # The base of Peer and BlockingPeer.
    (r"py:(class|obj)", r"(gns_py\._core\.peers\.)?Rendezvous"),
    (r"py:(class|obj)", r"(Authenticate|(Token|Credentials)Source|IceServersFunction|AddressOf|SSLContext)"),
    (r"py:(class|obj)", r"MaySignal|RelayIceServers"),
    # The base of all Connections and Sessions.
    (r"py:(class|obj)", r"(gns_py\._core\.connection\.)?BaseConnection"),
]
