import pytest

from deploy.demo.keys import STRIPE_ITSELF, UnusableKeys, keys_from

GIVEN = {
    "STRIPE_SECRET_KEY": "sk_test_given",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_given",
    "STRIPE_WEBHOOK_SECRET": "whsec_given",
}


def test_without_keys_the_stand_in_is_used_with_a_signing_secret_of_its_own():
    one, other = keys_from({}), keys_from({})
    assert one.is_standin
    assert one.secret == "sk_test_standin"
    assert one.webhook_secret != other.webhook_secret


def test_with_test_keys_stripe_itself_is_used():
    keys = keys_from(GIVEN)
    assert not keys.is_standin
    assert (keys.url, keys.secret) == (STRIPE_ITSELF, "sk_test_given")


@pytest.mark.parametrize("name", ["STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY"])
def test_a_live_key_is_refused_by_name_and_never_repeated(name):
    live = f"{name[7].lower()}k_live_abc"
    with pytest.raises(UnusableKeys, match=f"{name} is a live key") as refused:
        keys_from({**GIVEN, name: live})
    assert live not in str(refused.value)


@pytest.mark.parametrize("missing", list(GIVEN))
def test_a_missing_key_is_named(missing):
    given = {name: value for name, value in GIVEN.items() if name != missing}
    with pytest.raises(UnusableKeys, match=f"of another kind: {missing} "):
        keys_from(given)


def test_no_secret_is_in_what_is_printed_of_the_keys():
    assert "sk_test_given" not in repr(keys_from(GIVEN))
    assert "whsec_given" not in repr(keys_from(GIVEN))
