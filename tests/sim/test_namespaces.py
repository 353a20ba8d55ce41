"""Network namespaces: what runs in one sees it alone; test_nat_lab shows that nothing is left of them."""

from __future__ import annotations

import subprocess

import pytest

from gns_py.sim import namespaces
from gns_py.sim.namespaces import Realm


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if reason := namespaces.why_not():
        pytest.skip(reason)


def test_a_program_sees_its_namespace_only() -> None:
    with Realm() as realm:
        for name in ("one", "other"):
            realm.add(name)
        realm.run("one", "ip", "link", "add", "mine", "type", "veth")
        assert "mine" in realm.run("one", "ip", "-o", "link")
        assert "mine" not in realm.run("other", "ip", "-o", "link")
        assert "mine" not in namespaces.run("ip", "-o", "link")


def test_two_realms_can_have_the_same_names() -> None:
    with Realm() as one, Realm() as other:
        for realm in (one, other):
            realm.add("place")
        one.run("place", "ip", "link", "add", "mine", "type", "veth")
        assert "mine" not in other.run("place", "ip", "-o", "link")


def test_a_command_that_fails_says_why() -> None:
    with Realm() as realm:
        realm.add("place")
        with pytest.raises(subprocess.CalledProcessError) as caught:
            realm.run("place", "ip", "link", "add", "x", "type", "nothing")
        assert caught.value.stderr
    assert (namespaces.why_not(["false"]) or "").startswith("no network namespaces: ")
    assert namespaces.missing("sh", "no-such-tool", "nor-this-one") == "no-such-tool"
