"""The reference: finds names where the package makes them public, and checks that nothing public is left out."""

from __future__ import annotations

import builtins
import importlib
from enum import Enum

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from gns_py import Config

logger = logging.getLogger(__name__)

MODULES = [
    "gns_py",
    "gns_py.sync",
    "gns_py.asyncio",
    "gns_py.session",
    "gns_py.session.sync",
    "gns_py.session.asyncio",
    "gns_py.certs",
    "gns_py.p2p",
    "gns_py.p2p.signalling",
    "gns_py.sim",
]
MADE_BY_THE_PACKAGE = {
    "Authority",
    "Connection",
    "ListenSocket",
    "Room",
    "Server",
    "Session",
    "ConnectionRequest",
    "SessionRequest",
}


def public_names() -> dict[str, str]:
    """Map each public object's module and qualified name to the name under which the reference lists it."""
    names: dict[str, str] = {}
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            thing = getattr(module, name)
            where = getattr(thing, "__module__", module_name)
            names.setdefault(f"{where}.{getattr(thing, '__qualname__', name)}", f"{module_name}.{name}")
    return names


def keep_colons(_app: Sphinx, what: str, _name: str, _thing: object, _options: object, lines: list[str]) -> None:
    """Keep napoleon from taking text before a colon for the type of a property: it looks at the first line only.

    That line becomes an empty comment.
    """
    if what in ("attribute", "property"):
        lines[:0] = ["..", ""]


def skip_internal(_app: Sphinx, _what: str, _name: str, thing: object, _skip: bool, _options: object) -> bool | None:
    """Leave out members of public classes that the package itself uses."""
    return True if "Not part of the API" in (getattr(thing, "__doc__", None) or "") else None


def drop_signature(
    _app: Sphinx, what: str, _name: str, thing: object, _options: object, signature: str | None, _returns: str | None
) -> tuple[str | None, str] | None:
    """Hide the constructors of enums and of what connect() and listen() return; that of Config would fill a page."""
    if not isinstance(thing, type):
        return None
    if what == "function":  # connect() and the like in asyncio: classes that are used as functions
        return signature, ""
    return ("", "") if thing.__name__ in MADE_BY_THE_PACKAGE or thing is Config or issubclass(thing, Enum) else None


def name_builtins(_app: Sphinx, doctree: nodes.document) -> None:
    """Keep `bytes` from being taken for Identity.bytes."""
    for node in doctree.findall(pending_xref):
        if node.get("refdomain") == "py" and hasattr(builtins, node["reftarget"]):
            node["reftarget"] = f"builtins.{node['reftarget']}"


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element) -> nodes.Element | None:
    """Find names that are defined in one module and public in another, and public names without a module."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    names = public_names()
    short = {public.rpartition(".")[2]: public for public in reversed(names.values())}
    head, _, tail = target.rpartition(".")
    public = names.get(target) or short.get(target) or (f"{names[head]}.{tail}" if head in names else None)
    if public is None:
        return None
    return env.domains.python_domain.resolve_xref(env, node["refdoc"], app.builder, "obj", public, node, contnode)


def check_all(_app: Sphinx, env: BuildEnvironment) -> None:
    """Warn, and so fail the build, about public names that the reference does not list."""
    known = env.domains.python_domain.objects
    for name in public_names().values():
        if name not in known:
            logger.warning("%s is public, but the reference does not list it", name)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-skip-member", skip_internal)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", drop_signature)
    app.connect("doctree-read", name_builtins)
    app.connect("missing-reference", resolve)
    app.connect("env-check-consistency", check_all)
    return {"parallel_read_safe": True}
