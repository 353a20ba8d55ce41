"""The reference: docstrings laid out, names found where the package makes them public, and nothing public left out."""

from __future__ import annotations

import importlib
import inspect
import re
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
    "gns_py.sim",
]
# Where what nobody makes himself is defined.
_MADE_ELSEWHERE = (
    "gns_py.sync.",
    "gns_py.asyncio.",
    "gns_py.session.sync.",
    "gns_py.session.asyncio.",
    "gns_py.session.request",
)
# What a docstring's last lines tell, each with a line of its own in the reference.
_FACTS = re.compile(r"(?<!\S)(Errors(?: as .*?| when set)?|Native):\s")
_ANY_THREAD = re.compile(r"(?:(?<=\.)\s+|^)Any thread\.", re.MULTILINE)
# fake_... is no link in reStructuredText's sense.
_ELLIPSIS = re.compile(r"(?<=\w)_(?=\.\.\.)")
_EXCEPTION = re.compile(r"(?<![`.\w])([A-Z]\w*(?:Error|OK|Failed|Timeout|Closed|Rejected|Full|Dropped|TooLarge))\b")


def public_names() -> dict[str, str]:
    """Each public object's own name, module and class, to the name under which the reference has it."""
    names: dict[str, str] = {}
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            thing = getattr(module, name)
            where = getattr(thing, "__module__", module_name)
            names.setdefault(f"{where}.{getattr(thing, '__qualname__', name)}", f"{module_name}.{name}")
    return names


def lay_out(_app: Sphinx, what: str, _name: str, thing: object, _options: object, lines: list[str]) -> None:
    """Sets parameters apart, and puts the errors and the native function behind it into fields at the end."""
    text, any_thread = _ANY_THREAD.subn("", _ELLIPSIS.sub(r"\\_", "\n".join(lines)))
    if what in ("function", "method"):
        for parameter in inspect.signature(thing).parameters:  # type: ignore[arg-type]
            text = re.sub(rf"(^|[.;]\s){parameter}: ", rf"\1**{parameter}**: ", text, flags=re.MULTILINE)
    paragraphs: list[str] = []
    fields: list[str] = []
    for paragraph in text.split("\n\n"):
        head, *facts = _FACTS.split(paragraph)
        paragraphs.append(head.rstrip())
        for label, body in zip(facts[::2], facts[1::2], strict=True):
            line = " ".join(body.split())
            if label != "Native":
                line = _EXCEPTION.sub(r":py:exc:`\1`", line)
            fields.append(f":{label}: {line}")
    if any_thread:
        fields.append(":Threads: any of them.")
    lines[:] = "\n\n".join(filter(None, paragraphs + fields)).splitlines()


def drop_signature(
    _app: Sphinx, what: str, _name: str, thing: object, _options: object, signature: str | None, _returns: str | None
) -> tuple[str | None, str] | None:
    """Nobody calls the constructor of an enum or of what connect() and listen() return; that of Config fills a page."""
    if not isinstance(thing, type):
        return None
    if what == "function":  # connect() and the like in asyncio: used as functions
        return signature, ""
    made_elsewhere = thing.__module__.startswith(_MADE_ELSEWHERE) and thing.__name__ != "PollGroup"
    return ("", "") if made_elsewhere or thing is Config or issubclass(thing, Enum) else None


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element) -> nodes.Element | None:
    """Finds what is defined in one module and public in another, and public names without a module."""
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
    """A public name without documentation is a warning, which is an error."""
    known = env.domains.python_domain.objects
    for name in public_names().values():
        if name not in known:
            logger.warning("%s is public, but the reference does not have it", name)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", lay_out)
    app.connect("autodoc-process-signature", drop_signature)
    app.connect("missing-reference", resolve)
    app.connect("env-check-consistency", check_all)
    return {"parallel_read_safe": True}
