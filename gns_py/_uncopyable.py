"""A base for objects that cannot be copied."""

from __future__ import annotations

from typing import NoReturn


class Uncopyable:
    """A base for owners of something in the native core or an event loop, which a copy would release too early."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        """Refuse copy.copy(), copy.deepcopy() and pickle, which all call this."""
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        raise TypeError(
            f"a {name} cannot be copied or pickled, since it stands for something that exists once: share the object "
            "itself, and in another process connect or listen there"
        )
