"""Where a scenario's machines are follows from the folder of its state, and from whose it is."""

from __future__ import annotations

from labrig.engine import ownership
from labrig.molecule.place import Place


def test_every_process_finds_the_same_place_and_another_scenario_has_another():
    assert Place.of("/state/default") == Place.of("/state/default")
    assert Place.of("/state/default").container("web") != Place.of("/state/other").container("web")


def test_two_people_do_not_share_machines_although_their_folders_have_one_name(monkeypatch):
    mine = Place.of("/state/default")
    monkeypatch.setattr(ownership, "here", lambda: "somebody@elsewhere")

    assert Place.of("/state/default") != mine


def test_local_engine_is_reached_by_a_session_that_the_first_task_opens(monkeypatch):
    monkeypatch.setenv("LABRIG_CACHE", "/c")
    found = Place("molecule-1").connection("web", {})

    assert found == {
        "ansible_connection": "labrig.core.session",
        "ansible_labrig_container": "labrig-molecule-1-web",
        "ansible_labrig_sessions": "/c/sessions/molecule-1.sock",
        "ansible_labrig_start": True,
    }


def test_without_sessions_the_engine_starts_each_command(monkeypatch):
    monkeypatch.setenv("LABRIG_CACHE", "/" + "long" * 30)
    place = Place("molecule-1")
    api = {"ansible_connection": "community.docker.docker_api", "ansible_docker_host": "labrig-molecule-1-web"}
    cli = {"ansible_connection": "community.docker.docker", "ansible_docker_host": "labrig-molecule-1-web"}

    assert place.connection("web", {}, sessions=False) == api
    assert place.connection("web", {}) == api, "the path of the socket is longer than the kernel allows"
    assert place.connection("web", {"DOCKER_HOST": "ssh://lab"}) == cli


def test_the_machine_keeps_its_own_name_as_its_address():
    assert "ansible_host" not in Place("molecule-1").connection("web", {})
