"""Uncopyable: neither copied nor pickled."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from gns_py._uncopyable import Uncopyable


class Owner(Uncopyable):
    """An object that exists once."""


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_copy_is_refused_with_the_name_of_the_class(duplicate: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=rf"^a {__name__}\.Owner cannot be copied or pickled, since it stands for "):
        duplicate(Owner())
