"""The bucket per address."""

from shared.web.limits import AddressLimit


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_holds_a_minutes_worth_and_refills_evenly() -> None:
    clock = Clock()
    limit = AddressLimit(60, clock)
    assert [limit.wait_s("10.0.0.1") for _ in range(60)] == [0.0] * 60
    assert limit.wait_s("10.0.0.1") == 1.0
    clock.now += 1.0
    assert limit.wait_s("10.0.0.1") == 0.0
    assert limit.wait_s("10.0.0.1") == 1.0


def test_asking_while_refused_makes_nobody_wait_longer() -> None:
    clock = Clock()
    limit = AddressLimit(1, clock)
    limit.wait_s("10.0.0.1")
    assert [limit.wait_s("10.0.0.1") for _ in range(100)] == [60.0] * 100


def test_addresses_do_not_share_a_bucket() -> None:
    limit = AddressLimit(1, Clock())
    assert [limit.wait_s("10.0.0.1"), limit.wait_s("10.0.0.2")] == [0.0, 0.0]


def test_one_ipv6_network_shares_a_bucket() -> None:
    limit = AddressLimit(1, Clock())
    assert limit.wait_s("2001:db8::1") == 0.0
    assert limit.wait_s("2001:db8::2:1") == 60.0
    assert limit.wait_s("2001:db8:0:1::1") == 0.0


def test_a_client_without_address_has_a_bucket_too() -> None:
    limit = AddressLimit(1, Clock())
    assert [limit.wait_s("unknown"), limit.wait_s("unknown")] == [0.0, 60.0]


def test_a_flood_from_many_addresses_takes_no_more_memory_than_allowed() -> None:
    limit = AddressLimit(1, Clock(), most_addresses=100)
    for number in range(1000):
        limit.wait_s(f"10.0.{number // 256}.{number % 256}")
    assert len(limit) == 100
    assert limit.wait_s("10.0.3.231") == 60.0, "the newest is still known"
