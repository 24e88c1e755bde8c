from __future__ import annotations

import pytest

from labrig.errors import UsageError
from labrig.experiments import accounts
from labrig.experiments.services import Credentials

WHO = Credentials("shop_login", "shop_login", "s3cret-hex")


@pytest.mark.parametrize("kind", accounts.KINDS)
def test_an_account_is_made_locked_and_dropped_by_its_name_alone(kind: str) -> None:
    told = accounts.KINDS[kind]
    assert "s3cret-hex" in told.create(WHO)
    for statements in (told.create(WHO), told.lock("shop_login"), told.drop("shop_login")):
        assert "shop_login" in statements
        assert statements.endswith("\n")


def test_a_grant_is_for_one_database_and_for_none_that_is_called_alike() -> None:
    assert "ON `shop\\_login`.*" in accounts.KINDS["mariadb"].create(WHO)


@pytest.mark.parametrize("kind", accounts.KINDS)
@pytest.mark.parametrize("name", ["a'b", "a`b", 'a"b', "a;b", "a\\b", "a b", "A", "", "a\nb"])
def test_a_name_that_could_end_a_quotation_is_refused(kind: str, name: str) -> None:
    told = accounts.KINDS[kind]
    for make in (told.lock, told.drop, lambda bad: told.create(Credentials(bad, "x", "y"))):
        with pytest.raises(UsageError, match="is no name of a user or database"):
            make(name)


@pytest.mark.parametrize("kind", accounts.KINDS)
@pytest.mark.parametrize("password", ["a'b", "a\\", "a b", ""])
def test_a_password_that_could_end_a_quotation_is_refused_and_not_told(kind: str, password: str) -> None:
    with pytest.raises(UsageError, match="the password of shop_login has other characters") as caught:
        accounts.KINDS[kind].create(Credentials("shop_login", "shop_login", password))
    assert "a'b" not in caught.value.message
