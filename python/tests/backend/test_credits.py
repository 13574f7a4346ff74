"""Credits: every account is in one bucket, and users are a label of few values."""

import random

import pytest

from promflow.backend.credits import CreditsUsed, CreditType, Hashed, Leading, Named, record


def accounts(registry, kind="voice"):
    return [registry.value("credits_accounts", type=kind, bucket=bucket) for bucket in ("zero", "low", "ok")]


def used(registry, user, kind="voice"):
    return registry.value("credits_used_total", user=user, type=kind)


def remaining(registry, user, kind="voice"):
    return registry.value("credits_remaining", user=user, type=kind)


def users(registry, name):
    samples = [sample for family in registry.collect() for sample in family.samples]
    return {sample.labels["user"]: sample.value for sample in samples if sample.name == name}


def test_every_account_is_in_one_bucket(registry):
    voice = CreditType("voice", 20, registry)
    assert accounts(registry) == [0, 0, 0]
    voice.opened("ann", 100)
    voice.opened("bob", 5)
    assert accounts(registry) == [0, 1, 1]
    voice.changed("ann", 100, 19)
    voice.changed("bob", 5, 0)
    assert accounts(registry) == [1, 1, 0]
    assert (remaining(registry, "ann"), used(registry, "ann")) == (19, 0)


def test_accounts_are_counted_from_a_store(registry):
    voice = CreditType("voice", 20, registry)
    voice.counted({"ann": 100, "bob": 5, "eve": 0})
    voice.counted({"ann": 10, "bob": 5, "eve": 0})
    assert accounts(registry) == [1, 2, 0]
    assert remaining(registry, "ann") == 10


def test_an_allow_list_keeps_its_users_apart(registry):
    voice = CreditType("voice", 20, registry, Named(["ann"]))
    for user in ("ann", "bob", "eve"):
        voice.opened(user, 10)
        voice.used(user, 2)
    assert users(registry, "credits_used_total") == {"ann": 2, "__other__": 4}
    assert users(registry, "credits_remaining") == {"ann": 10}
    assert accounts(registry) == [0, 3, 0]


def test_hashed_users_share_few_labels_and_show_no_balance(registry):
    voice = CreditType("voice", 20, registry, Hashed(4))
    for user in range(100):
        voice.opened(str(user), 10)
        voice.used(str(user), 1)
    counted = users(registry, "credits_used_total")
    assert set(counted) == {f"bucket-{n}" for n in range(4)}
    assert sum(counted.values()) == 100
    assert users(registry, "credits_remaining") == {}


def test_those_who_use_most_are_kept_apart_and_every_use_is_counted_once(registry):
    voice = CreditType("voice", 20, registry, Leading(2))
    total = 0.0

    def use(user, amount):
        nonlocal total
        before = sum(users(registry, "credits_used_total").values())
        gone = dict(users(registry, "credits_used_total"))
        voice.used(user, amount)
        after = users(registry, "credits_used_total")
        removed = sum(value for name, value in gone.items() if name not in after)
        assert sum(after.values()) == pytest.approx(before - removed + amount)

    use("ann", 1)
    use("bob", 2)
    use("eve", 0.5)
    assert users(registry, "credits_used_total") == {"ann": 1, "bob": 2, "__other__": 0.5}
    use("eve", 5)
    assert users(registry, "credits_used_total") == {"bob": 2, "eve": 5, "__other__": 0.5}
    for _ in range(200):
        use(random.choice("abcdefgh"), random.random())
    assert len(users(registry, "credits_used_total")) == 3


def test_the_lowest_balances_are_shown_whoever_is_refilled(registry):
    voice = CreditType("voice", 20, registry, Leading(3))
    balances = {}
    numbers = random.Random(7)
    for _ in range(500):
        user = str(numbers.randrange(12))
        balances[user] = float(numbers.randrange(1000))
        voice.changed(user, 0, balances[user])
        shown = users(registry, "credits_remaining")
        assert all(balances[name] == value for name, value in shown.items())
        assert sorted(shown.values()) == sorted(balances.values())[:3]


def test_users_beyond_the_limit_keep_the_sums_right(registry):
    voice = CreditType("voice", 20, registry)
    for user in range(3000):
        voice.opened(str(user), 10)
        voice.used(str(user), 2)
    counted = users(registry, "credits_used_total")
    assert (len(counted), sum(counted.values())) == (101, 6000)
    assert len(users(registry, "credits_remaining")) == 100
    assert accounts(registry) == [0, 3000, 0]


def test_the_users_that_are_remembered_have_a_limit(registry, monkeypatch):
    monkeypatch.setattr("promflow.backend.credits._USERS_MAX", 10)
    voice = CreditType("voice", 20, registry, Leading(3))
    for user in range(100):
        voice.used(str(user), 1 + user)
    assert len(voice._guard._used.scores) == 10
    assert len(users(registry, "credits_used_total")) == 4


def test_a_negative_use_is_left_out(registry):
    voice = CreditType("voice", 20, registry)
    voice.used("ann", -1)
    voice.used("ann", float("nan"))
    voice.used("ann", 1)
    assert used(registry, "ann") == 1


def test_uses_of_requests_reach_the_type_that_is_known(registry):
    voice = CreditType("voice", 20, registry, Named(["ann"]))
    voice.opened("bob", 25)
    record([CreditsUsed("bob", "voice", 10, remaining=15), CreditsUsed("bob", "new", 1)], registry)
    assert used(registry, "__other__") == 10
    assert accounts(registry) == [0, 1, 0]
    assert used(registry, "bob", "new") == 1


@pytest.mark.parametrize("guard", [Hashed, Leading])
def test_a_guard_of_nobody_is_refused(guard):
    with pytest.raises(ValueError, match="at least one"):
        guard(0)
