"""What handlers declare."""

from functools import partial

from shared.permissions import Permission, permission_of, permit


async def undeclared() -> None: ...


@permit(Permission.STAFF)
async def for_staff() -> None: ...


class Pages:
    @permit(Permission.PUBLIC)
    async def show(self) -> None: ...


def test_a_handler_says_who_may_call_it() -> None:
    assert permission_of(for_staff) is Permission.STAFF


def test_a_method_says_so_too() -> None:
    assert permission_of(Pages().show) is Permission.PUBLIC


def test_a_partial_stands_for_its_function() -> None:
    assert permission_of(partial(partial(for_staff), 1)) is Permission.STAFF


def test_what_declares_nothing_permits_nobody() -> None:
    assert permission_of(undeclared) is None
    assert permission_of(object()) is None


def test_something_else_in_its_place_permits_nobody() -> None:
    async def odd() -> None: ...

    odd.__dict__["__kct_permission__"] = "public"
    assert permission_of(odd) is None
