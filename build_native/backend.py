"""The build backend: scikit-build-core, with an sdist that always contains all third-party sources."""

from __future__ import annotations

import scikit_build_core.build
from scikit_build_core.build import *  # noqa: F403

from build_native.materialise import PARTS, VendorError, materialise


def build_sdist(  # type: ignore[no-redef]
    sdist_directory: str, config_settings: dict[str, list[str] | str] | None = None
) -> str:
    """Build the sdist, after unpacking the third-party sources that are missing.

    Raises:
        SystemExit: They cannot be unpacked.
    """
    try:
        materialise(list(PARTS))
    except (VendorError, OSError) as problem:
        raise SystemExit(f"gns_py: no sdist without the third-party sources: {problem}") from None
    return scikit_build_core.build.build_sdist(sdist_directory, config_settings)
