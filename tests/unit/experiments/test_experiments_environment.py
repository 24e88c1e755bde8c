from __future__ import annotations

import pytest

from labrig.errors import UsageError
from labrig.experiments import environment
from labrig.experiments.environment import Identity

IDENTITY = Identity(
    app="shop",
    name="login",
    branch="feature/login",
    release="0" * 40,
    domain="lab.example",
    host_name="$APP_NAME-$INSTANCE_NAME",
)


def test_an_experiment_knows_what_it_is() -> None:
    assert environment.assembled(IDENTITY, {}, {}) == {
        "VIRTUAL_HOST": "shop-login.lab.example",
        "APP_NAME": "shop",
        "INSTANCE_NAME": "login",
        "BRANCH_NAME": "feature/login",
        "RELEASE": "0" * 40,
    }


def test_variables_are_replaced_in_values_and_only_they() -> None:
    own = {"URL": "https://$VIRTUAL_HOST/", "AT": "${RELEASE}", "PRICE": "$5 $HOME $VIRTUAL_HOSTS", "DB": "mine"}
    found = environment.assembled(IDENTITY, own, {"DB": "theirs", "DB_HOST": "db"})
    assert found["URL"] == "https://shop-login.lab.example/"
    assert found["AT"] == "0" * 40
    assert found["PRICE"] == own["PRICE"]
    assert (found["DB"], found["DB_HOST"]) == ("mine", "db")


def test_values_are_in_no_representation() -> None:
    found = environment.assembled(IDENTITY, {"KEY": "top secret $RELEASE"}, {"DB_PASSWORD": "hush"})
    assert found["KEY"] == "top secret " + "0" * 40
    assert "secret" not in repr(found)
    assert "hush" not in repr(found)


def test_a_value_that_looks_like_a_variable_is_replaced_once() -> None:
    """What a variable stands for is not searched for variables again."""
    assert environment.substituted("$A", {"A": "$B", "B": "x"}) == "$B"


def test_an_unknown_variable_in_a_pattern_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"there is no variable \$APPNAME: did you mean \$APP_NAME\?"):
        environment.checked_pattern("$APPNAME-x", environment.NAMES)


@pytest.mark.parametrize("name", ["", "1A", "A B", "A;", "A-B", "RELEASE"])
def test_a_variable_that_cannot_be_or_is_set_already_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no name of a variable|is set by labrig"):
        environment.checked_variable(name)


def test_a_value_of_several_lines_is_refused_without_being_told() -> None:
    with pytest.raises(UsageError, match="KEY has several lines") as caught:
        environment.file_text({"KEY": "top\nsecret"})
    assert "secret" not in str(caught.value)


def test_the_hash_keeps_long_branches_apart_as_hosts() -> None:
    one, other = (
        Identity("shop", "x", "b" * 80 + end, "0" * 40, "lab.example", "$BRANCH_NAME").virtual_host for end in "12"
    )
    assert one != other
    assert len(one.split(".")[0]) == 63
