"""Take pictures of the built documentation, at desktop and telephone width, light and dark.

Usage: python docs/screenshots.py [PAGE ...]. Without names: all pages of build/docs, to build/screenshots. Needs
`pip install playwright && playwright install chromium`, or another Chromium that CHROMIUM names. Reports pages that are
wider than their window.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", help="such as index or guide/lanes")
    parser.add_argument("--docs", type=Path, default=ROOT / "build/docs")
    parser.add_argument("--output", type=Path, default=ROOT / "build/screenshots")
    parser.add_argument("--dark", action="store_true")
    arguments = parser.parse_args()
    unlisted = {"genindex", "search", "py-modindex"}
    found = [path.relative_to(arguments.docs).with_suffix("").as_posix() for path in arguments.docs.rglob("*.html")]
    pages = arguments.pages or sorted(set(found) - unlisted)
    too_wide = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"))
        for kind, (width, height) in WIDTHS.items():
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme="dark" if arguments.dark else "light"
            )
            for name in pages:
                page.goto((arguments.docs / f"{name}.html").resolve().as_uri())
                file = arguments.output / f"{kind}{'-dark' if arguments.dark else ''}" / f"{name.replace('/', '-')}.png"
                page.screenshot(path=file, full_page=True)
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    too_wide.append(f"{name} at {kind} width")
        browser.close()
    print(f"{len(pages)} pages in {arguments.output}")
    print("\n".join(f"wider than the window: {each}" for each in too_wide), end="\n" if too_wide else "")
    return 1 if too_wide else 0


if __name__ == "__main__":
    sys.exit(main())
