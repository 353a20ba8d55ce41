"""Objects that exist once."""

from __future__ import annotations

from typing import NoReturn


class Uncopyable:
    """Owns something of the native core or of an event loop: a copy would give it back under the original's feet."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        """Refuses copy.copy(), copy.deepcopy() and pickle, which all end up here."""
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        raise TypeError(
            f"a {name} cannot be copied or pickled, since it stands for something that exists once: share the object "
            "itself, and in another process connect or listen anew"
        )
