"""generate_ffi writes a module with which cffi knows the headers."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.clone

BUILD_NATIVE = Path(__file__).resolve().parents[2] / "build_native"


def test_the_module_has_the_types_and_constants_of_the_headers(tmp_path: Path) -> None:
    headers, output = sorted((BUILD_NATIVE / "core").glob("gns_core*.h")), tmp_path / "_ffi.py"
    assert headers[0].name == "gns_core.h"
    subprocess.run([sys.executable, BUILD_NATIVE / "generate_ffi.py", *headers, output], check=True, timeout=60)
    spec = importlib.util.spec_from_file_location("generated_ffi", output)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    typedefs, _, _ = module.ffi.list_types()
    text = "".join(header.read_text(encoding="utf-8") for header in headers)
    assert set(re.findall(r"^\} (gns_\w+);$", text, re.MULTILINE)) <= set(typedefs)
    for name in re.findall(r"^\w[\w *]*\b(gns_\w+)\(", text, re.MULTILINE):
        assert name.encode() in output.read_bytes()
