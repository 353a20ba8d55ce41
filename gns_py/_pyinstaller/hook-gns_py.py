"""PyInstaller finds the modules by itself; the native library is loaded by its path, which it cannot see."""

from PyInstaller.utils.hooks import collect_dynamic_libs

binaries = collect_dynamic_libs("gns_py")
