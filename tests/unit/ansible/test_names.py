from __future__ import annotations

from pathlib import Path

from labrig.ansible.names import collection_roots, role_names


def test_a_role_is_known_by_folder_short_name_and_namespace() -> None:
    meta = {"galaxy_info": {"role_name": "nginx", "namespace": "acme"}}
    assert role_names("checkout-7", meta, "") == {"checkout-7", "nginx", "acme.nginx"}


def test_the_folder_gives_the_name_where_metadata_does_not() -> None:
    assert role_names("ansible-role-redis", {}, "") == {"ansible-role-redis", "redis"}


def test_a_namespace_that_only_the_playbook_uses_is_the_roles_own() -> None:
    assert "other.redis" in role_names("redis", {}, "roles:\n  - role: other.redis\n")
    assert "other.redis_cluster" not in role_names("redis", {}, "- role: other.redis_cluster")


def test_an_author_that_is_no_galaxy_name_is_no_namespace() -> None:
    assert role_names("x", {"galaxy_info": {"author": "A Person", "role_name": "web"}}, "") == {"x", "web"}


def test_a_project_inside_a_collection_belongs_to_it(tmp_path: Path) -> None:
    (tmp_path / "galaxy.yml").write_text("namespace: acme\nname: web\n")
    role = tmp_path / "roles" / "front"
    role.mkdir(parents=True)
    assert collection_roots(role) == {"acme/web": tmp_path}
