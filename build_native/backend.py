"""The build backend: scikit-build-core, but its sdist has all third-party sources, whatever was unpacked before."""

from __future__ import annotations

import scikit_build_core.build
from scikit_build_core.build import *  # noqa: F403

from build_native.materialise import PARTS, VendorError, materialise


def build_sdist(  # type: ignore[no-redef]
    sdist_directory: str, config_settings: dict[str, list[str] | str] | None = None
) -> str:
    try:
        materialise(list(PARTS))
    except (VendorError, OSError) as problem:
        raise SystemExit(f"gns_py: no sdist without the third-party sources: {problem}") from None
    return scikit_build_core.build.build_sdist(sdist_directory, config_settings)
