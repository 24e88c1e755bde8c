"""What differs between two states, and what only seems to."""

from labrig.state.compare import WHOLE, compare
from labrig.state.model import State
from labrig.state.rule import Rule

FILE = {"type": "file", "mode": "0644", "owner": "root", "group": "root", "size": 3, "sha256": "aa"}


def state(*, unreadable=None, **dimensions):
    entries = {(name, key): value for name, keys in dimensions.items() for key, value in keys.items()}
    return State({}, entries, unreadable or {})


def files(**fields):
    return state(file={"/etc/app.conf": {**FILE, **fields}})


def only(comparison):
    (difference,) = comparison.differences
    return difference


def test_equal_states_do_not_differ():
    comparison = compare(files(), files())
    assert comparison.same
    assert comparison.compared == 1
    assert comparison.ignored == ()


def test_a_difference_has_the_fields_that_differ_and_what_explains_them():
    found = only(compare(files(package="app"), files(package="app", mode="0600")))
    assert found.fields == ("mode",)
    assert found.left == {"mode": "0644", "type": "file", "package": "app"}
    assert found.right == {"mode": "0600", "type": "file", "package": "app"}
    assert found.package == "app"


def test_every_field_counts():
    for field, value in {
        "type": "link",
        "owner": "app",
        "group": "adm",
        "size": 4,
        "sha256": "bb",
        "unreadable": "no",
    }.items():
        assert field in only(compare(files(), files(**{field: value}))).fields


def test_an_entry_on_one_side_is_shown_whole():
    found = only(compare(files(), state()))
    assert found.left == FILE
    assert found.right is None
    assert only(compare(state(), files())).right == FILE


def test_the_owning_package_alone_is_no_difference():
    assert compare(files(package="a"), files(package="b")).same


def test_a_content_that_is_the_same_as_it_is_does_not_differ():
    # On the left machine a documented address happens to be its own, on the right one it is not.
    assert compare(files(sha256="replaced", plain="aa", size=9), files()).same
    assert compare(files(), files(sha256="replaced", plain="aa", size=9)).same
    assert not compare(files(sha256="replaced", plain="aa"), files(sha256="bb")).same
    assert not compare(files(sha256="replaced", plain="aa"), files(mode="0600")).same


def test_missing_hashes_are_not_equal_content():
    link = {"type": "link", "target": "/a"}
    assert not compare(state(file={"/l": link}), state(file={"/l": {"type": "fifo", "size": 1}})).same


def test_differences_come_in_the_order_of_dimension_and_key():
    left = state(file={"/b": FILE, "/a": FILE}, package={"z": {"version": "1"}}, other={"x": {}})
    found = [(difference.dimension, difference.key) for difference in compare(left, state()).differences]
    assert found == [("package", "z"), ("file", "/a"), ("file", "/b"), ("other", "x")]


def test_a_rule_sets_fields_aside_and_the_others_still_count():
    rule = Rule("logs", "file", r"/etc/app\..*", "no matter", frozenset({"sha256", "size"}))
    hidden = compare(files(), files(sha256="bb", size=4), rules=[rule])
    assert hidden.same
    assert [(applied.rule, applied.count) for applied in hidden.ignored] == [("logs", 1)]
    assert only(compare(files(), files(sha256="bb", mode="0600"), rules=[rule])).fields == ("mode",)
    assert not compare(files(), state(), rules=[rule]).same


def test_a_rule_without_fields_takes_the_entry_out():
    rule = Rule("stamps", "file", r"/etc/app\.conf", "no matter")
    assert compare(files(), state(), rules=[rule]).same
    assert compare(files(), files(mode="0600"), rules=[rule]).same


def test_a_rule_that_hid_nothing_is_not_reported():
    rule = Rule("stamps", "file", r"/.+", "no matter")
    assert compare(files(), files(), rules=[rule]).ignored == ()


def test_a_rule_needs_the_whole_key_and_its_dimension():
    for rule in (Rule("a", "file", r"/etc", "x"), Rule("b", "package", r"/etc/app\.conf", "x")):
        assert not compare(files(), files(mode="0600"), rules=[rule]).same


def test_what_one_side_could_not_read_is_a_difference():
    left = state(package={"nginx": {"version": "1"}})
    right = state(unreadable={"package": "no permission"})
    found = only(compare(left, right))
    assert (found.dimension, found.key) == ("package", WHOLE)
    assert found.left is None
    assert found.right == {"unreadable": "no permission"}


def test_what_a_side_read_in_part_is_compared_and_said():
    left = state(file={"/a": FILE})
    right = state(file={"/a": {**FILE, "mode": "0600"}}, unreadable={"file": "disk error"})
    assert [(found.key, found.fields) for found in compare(left, right).differences] == [("", ()), ("/a", ("mode",))]


def test_what_no_side_could_read_is_noted():
    comparison = compare(state(unreadable={"unit": "no systemd"}), state(unreadable={"unit": "no systemd"}))
    assert comparison.same
    assert comparison.notes == ("unit could be read completely on neither side: no systemd",)


def test_a_dimension_that_only_one_side_asked_for_is_a_difference():
    left = State({"dimensions": ["package", "file"]}, {("package", "nginx"): {"version": "1"}, ("file", "/a"): FILE})
    right = State({"dimensions": ["file"]}, {("file", "/a"): FILE})
    found = only(compare(left, right))
    assert (found.dimension, found.key, found.right) == ("package", WHOLE, {"unreadable": "it was not captured"})


def test_a_dimension_without_entries_on_one_side_is_compared():
    left = State({"dimensions": ["socket"]}, {("socket", "tcp 0.0.0.0:80"): {"units": []}})
    assert only(compare(left, State({"dimensions": ["socket"]}))).key == "tcp 0.0.0.0:80"


def test_files_that_no_side_could_read_are_noted():
    unread = {"/a": {"type": "file", "unreadable": "Input/output error"}}
    comparison = compare(state(file=unread), state(file=unread))
    assert comparison.same
    assert comparison.notes == ("1 entries of file could be read on neither side; what they hold is not compared",)


OWN = {**FILE, "package": "nginx", "as_packaged": True}
NGINX = {"version": "1", "status": "installed"}


def with_nginx(version="1", **changed):
    own = {f"/usr/share/nginx/{name}": {**OWN, "sha256": version, **changed.pop(name, {})} for name in ("a", "b", "c")}
    return state(package={"nginx": {**NGINX, "version": version}}, file=own, **changed)


def told(comparison):
    return [(found.dimension, found.key, found.files) for found in comparison.differences]


def test_a_packages_own_files_are_summed_up_under_the_package():
    for left, right in ((with_nginx(), state(package={}, file={})), (state(), with_nginx())):
        assert told(compare(left, right)) == [("package", "nginx", 3)]
    assert told(compare(with_nginx("1"), with_nginx("2"))) == [("package", "nginx", 3)]


def test_a_file_that_was_altered_stays_a_difference_of_its_own():
    for altered in (
        {"as_packaged": None},
        {"owner": "www-data"},
        {"group": "adm"},
        {"mode": "4755"},
        {"mode": "0666"},
        {"capabilities": "cap_net_raw=ep"},
        {"acl": ["user:me:rw-"]},
        {"attributes": {"user.x": "1"}},
        {"locked": ["immutable"]},
        {"package": "other"},
    ):
        found = told(compare(state(), with_nginx(b=altered)))
        assert found == [("package", "nginx", 2), ("file", "/usr/share/nginx/b", 0)], altered


def test_with_another_version_a_changed_mode_stays_a_difference_of_its_own():
    comparison = compare(with_nginx("1"), with_nginx("2", a={"mode": "0600"}, b={"as_packaged": None}))
    assert told(comparison) == [
        ("package", "nginx", 1),
        ("file", "/usr/share/nginx/a", 0),
        ("file", "/usr/share/nginx/b", 0),
    ]


CLUSTER = {
    "15/main server": {"runs": True, "version": "15.1"},
    "15/main role app": {"password": "set"},
    "15/main role server": {"password": "none"},
    "15/other server": {"runs": True, "version": "15.1"},
    "15/other role app": {"password": "none"},
}


def running(*names, **changed):
    return {**{key: value for key, value in CLUSTER.items() if key.startswith(names)}, **changed}


def test_a_server_that_runs_on_one_side_only_is_one_difference():
    both, one = (
        State({}, {("postgresql", key): value for key, value in running(*names).items()})
        for names in (("15/main", "15/other"), ("15/other",))
    )
    for left, right in ((both, one), (one, both)):
        (found,) = compare(left, right).differences
        assert (found.key, found.held) == ("15/main server", 2)
    (found,) = compare(one, state()).differences
    assert (found.key, found.held) == ("15/other server", 1)


def test_what_differs_in_servers_that_run_on_both_sides_is_told_one_by_one():
    more = running("15/", **{"15/main role more": {}})
    other = running("15/", **{"15/main role app": {"password": "none"}, "15/other role more": {}})
    sides = [State({}, {("postgresql", key): value for key, value in side.items()}) for side in (more, other)]
    found = [(one.key, one.held) for one in compare(*sides).differences]
    assert found == [("15/main role app", 0), ("15/main role more", 0), ("15/other role more", 0)]


def test_a_usual_server_does_not_speak_for_another_one():
    usual = {"server": {"runs": True}, "user 'app'@'%'": {}}
    another = {"/srv/b.sock server": {"runs": True}, "/srv/b.sock user 'app'@'%'": {}}
    sides = [State({}, {("mariadb", key): value for key, value in side.items()}) for side in ({**usual, **another}, {})]
    found = [(one.key, one.held) for one in compare(*sides).differences]
    assert found == [("/srv/b.sock server", 1), ("server", 1)]


def test_files_of_a_package_that_is_the_same_are_not_summed_up():
    changed = with_nginx(a={"sha256": "other"})
    assert told(compare(with_nginx(), changed)) == [("file", "/usr/share/nginx/a", 0)]
    held = State({}, {**changed.entries, ("package", "nginx"): {**NGINX, "wanted": "hold"}}, {})
    assert told(compare(with_nginx(), held)) == [("package", "nginx", 0), ("file", "/usr/share/nginx/a", 0)]


def test_a_package_that_a_rule_hides_takes_no_files_along():
    rule = Rule("x", "package", r"nginx", "no matter")
    assert len(compare(state(), with_nginx(), rules=[rule]).differences) == 3
