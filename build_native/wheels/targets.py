"""The platforms with a wheel, and all known differences between them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A platform."""

    name: str
    zig: str
    """The compiler's name for it, with the oldest C library or system."""
    system: str
    """CMake's name for the system."""
    processor: str
    """CMake's name for the processor."""
    platform: str
    """The platform tag of the wheel, or several joined by dots."""

    @property
    def tag(self) -> str:
        """The tag of the wheel."""
        return f"py3-none-{self.platform}"

    @property
    def library(self) -> str:
        """The file name of the native library."""
        return {"Linux": "libgns_core.so", "Darwin": "libgns_core.dylib", "Windows": "gns_core.dll"}[self.system]

    @property
    def is_musl(self) -> bool:
        """True if its C library is musl."""
        return "musl" in self.zig


TARGETS = {
    target.name: target
    for target in (
        Target(
            "linux-x86_64", "x86_64-linux-gnu.2.17", "Linux", "x86_64", "manylinux2014_x86_64.manylinux_2_17_x86_64"
        ),
        Target(
            "linux-aarch64",
            "aarch64-linux-gnu.2.17",
            "Linux",
            "aarch64",
            "manylinux2014_aarch64.manylinux_2_17_aarch64",
        ),
        Target("musl-x86_64", "x86_64-linux-musl", "Linux", "x86_64", "musllinux_1_2_x86_64"),
        Target("musl-aarch64", "aarch64-linux-musl", "Linux", "aarch64", "musllinux_1_2_aarch64"),
        Target("windows-x86_64", "x86_64-windows-gnu", "Windows", "x86_64", "win_amd64"),
        Target("windows-arm64", "aarch64-windows-gnu", "Windows", "aarch64", "win_arm64"),
        Target("macos-x86_64", "x86_64-macos.10.15", "Darwin", "x86_64", "macosx_10_15_x86_64"),
        Target("macos-arm64", "aarch64-macos.11.0", "Darwin", "arm64", "macosx_11_0_arm64"),
    )
}


def target_of(wheel_name: str) -> Target | None:
    """Return the target whose wheel has this file name, or None for other names."""
    platform = wheel_name.removesuffix(".whl").rpartition("-")[2]
    tags = set(platform.split("."))
    return next((each for each in TARGETS.values() if set(each.platform.split(".")) == tags), None)
