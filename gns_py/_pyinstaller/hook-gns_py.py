"""PyInstaller finds modules itself, but not the native library, which is loaded by its path."""

from PyInstaller.utils.hooks import collect_dynamic_libs

binaries = collect_dynamic_libs("gns_py")
