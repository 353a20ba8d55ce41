"""The tests mirror the modules: each module with logic has a test module that one finds without searching."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import gns_py

ROOT = Path(gns_py.__file__).parent
TESTS = Path(__file__).resolve().parent.parent
# Tests of these folders have other names than the folders.
FOLDERS = {"": "values", "_native": "native_library"}
# The contract tests run what users see on every API, so they lie by behaviour.
CONTRACT = {
    "_core/callbacks": "contract/test_callbacks",
    "_core/connection": "contract/test_properties",
    "_core/demands": "contract/test_authentication",
    "_core/listen_socket": "contract/test_listening",
    "_core/peers": "p2p/test_peer",
    "_core/poll_group": "contract/test_poll_group",
    "_core/rendezvous": "p2p/test_peer",
    "_core/request": "contract/test_accepting",
    "_core/sending": "contract/test_sending",
    "_core/server": "contract/test_serve",
    "asyncio/client": "contract/test_client",
    "asyncio/connection": "contract/test_receiving",
    "asyncio/listener": "contract/test_listening",
    "asyncio/poll_group": "contract/test_poll_group",
    "sync/listener": "contract/test_listening",
    "sync/poll_group": "contract/test_poll_group",
    "p2p/signalling/served_client": "p2p/signalling/test_hostile",
    "session/_core/listen_socket": "session/contract/test_listening",
    "session/asyncio/client": "session/contract/test_setup",
    "session/asyncio/listener": "session/contract/test_listening",
    "session/asyncio/server": "session/contract/test_setup",
    "session/asyncio/session": "session/contract/test_flow",
    "session/sync/client": "session/contract/test_setup",
    "session/sync/listener": "session/contract/test_listening",
    "session/sync/server": "session/contract/test_setup",
    "session/sync/session": "session/contract/test_flow",
    "_generated/config_fields": "build_native/test_enums",
    "_generated/enums": "build_native/test_enums",
    "_pyinstaller/hook-gns_py": "_pyinstaller/test_hooks",
}


def has_logic(path: Path) -> bool:
    """Return whether a module has a statement that a test can reach: a Protocol's methods have none."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return any(not (isinstance(each.body[-1], ast.Expr) and len(each.body) == 1) for each in functions)


MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix()
    for path in ROOT.rglob("*.py")
    if not path.name.startswith("__") and path.name != "_ffi.py" and has_logic(path)
)


@pytest.mark.clone
@pytest.mark.parametrize("module", MODULES)
def test_has_a_test_module(module: str) -> None:
    folder, _, name = module.rpartition("/")
    mirrored = f"{FOLDERS.get(folder, folder)}/test_{name.lstrip('_')}"
    place = CONTRACT.get(module, mirrored)
    assert (TESTS / f"{place}.py").exists(), f"{module} needs {mirrored}.py"


@pytest.mark.clone
def test_the_list_of_exceptions_is_short_and_true() -> None:
    assert set(CONTRACT) <= {path.relative_to(ROOT).with_suffix("").as_posix() for path in ROOT.rglob("*.py")}
