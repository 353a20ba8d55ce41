"""The exceptions of session stores."""

from __future__ import annotations

import pickle

import pytest

from gns_py.session.store import Fenced


@pytest.mark.parametrize(
    ("error", "text"), [(Fenced(3), "another owner, since epoch 3"), (Fenced(4, 8), "in epoch 4, with reason 8")]
)
def test_fenced_says_by_what(error: Fenced, text: str) -> None:
    assert text in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.epoch, copy.reason, str(copy)) == (error.epoch, error.reason, str(error))
