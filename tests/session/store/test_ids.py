"""Session ids: a bucket, its epoch, and random bytes."""

from __future__ import annotations

from gns_py.session.store import ids


def test_an_id_names_its_bucket_and_epoch() -> None:
    epoch = ids.new_epoch()
    for bucket in (0, 17, 255):
        session_id = ids.new_id(bucket, epoch)
        assert len(session_id) == ids.SIZE
        assert (ids.bucket_of(session_id), ids.epoch_of(session_id)) == (bucket, epoch)


def test_they_are_random() -> None:
    epoch = ids.new_epoch()
    assert epoch != ids.new_epoch()
    assert len({ids.new_id(0, epoch) for _ in range(1000)}) == 1000
