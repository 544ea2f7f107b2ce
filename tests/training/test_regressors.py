"""Regressors recover known laws, learn from held-out examples alone, and cost little."""

import time

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import mean_pinball_loss

from miatlas.running.seeds import rng
from miatlas.training import regressors, trainer
from miatlas.training.architectures import mlp
from miatlas.training.batches import Data, Model
from miatlas.training.objectives import Normal, Quantiles

RECIPE = {
    "epochs": 30, "batch_size": 128, "optimizer": {"name": "adam", "lr": 3e-3},
    "schedule": {"name": "cosine"}, "augmentation": {"name": "none"}, "label_smoothing": 0.0,
    "gradient_clip": None, "ema": None, "early_stopping": 30, "precision": "float32", "mixup": None,
    "engine": "auto",
}  # fmt: skip
SHARES = (0.999, 0.99, 0.9)

pytestmark = pytest.mark.usefixtures("one_thread")


class Silent:
    def advance(self, *_):
        pass


def simulated(n=6000, seed=0):
    """Examples, and the mu and sigma (2, N) of two targets' answers about them."""
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))
    mu = torch.stack([4 + 3 * torch.sin(x[:, 0]) + x[:, 1], 5 * x[:, 2].abs() - 7])
    sigma = torch.stack([0.3 + x[:, 2].abs(), 0.5 + torch.sigmoid(3 * x[:, 0])])
    return x, mu, sigma


def regressed(law, x, s, held_out, recipe=RECIPE, targets=2, at_once=2):
    """Return what is described of every example (T, N, ...), in units of s."""
    learned, judges = regressors.split(held_out, rng(0, "test"))
    known = regressors.Standardised(s, learned)
    index = torch.from_numpy(judges)
    labels = torch.zeros(len(x), dtype=torch.long)
    data = Data(x, labels, index, index[:0], known.values[..., None])
    models = [Model(t, learned, t, t, t, teacher=t) for t in range(targets)]

    def make():
        return mlp.build(tuple(x.shape[1:]), law.outputs, widths=[64, 64])

    outputs = regressors.regress(make, recipe, law, data, models, at_once, Silent())
    return law.described(outputs, known.mean, known.deviation).numpy()


@pytest.fixture(scope="module")
def world(one_thread):
    x, mu, sigma = simulated()
    s = mu + sigma * torch.randn(mu.shape, generator=torch.Generator().manual_seed(1))
    return x, mu.numpy(), sigma.numpy(), s, np.arange(5000)


@pytest.mark.slow
def test_a_normal_law_recovers_mu_and_sigma_of_every_example(world):
    x, mu, sigma, s, held_out = world
    found = regressed(Normal(), x, s, held_out)
    fresh = slice(5000, None)
    for t in range(2):
        m, d = found[t, fresh].T
        assert np.sqrt(np.mean((m - mu[t, fresh]) ** 2)) < 0.12 * mu[t].std()
        assert np.median(abs(np.log(d / sigma[t, fresh]))) < 0.12
        scores = (s[t, fresh].numpy() - m) / d  # of those who were not learned: standard normal
        assert abs(scores.mean()) < 4 / np.sqrt(1000)
        assert scores.std() == pytest.approx(1, abs=0.1)


@pytest.mark.slow
def test_quantiles_leave_their_share_of_others_above_and_are_those_of_the_law(world):
    x, mu, sigma, s, held_out = world
    found = regressed(Quantiles(SHARES), x, s, held_out)
    fresh = slice(5000, None)
    for t in range(2):
        for k, share in list(enumerate(SHARES))[1:]:
            above = (s[t, fresh].numpy() > found[t, fresh, k]).mean()
            assert abs(above - (1 - share)) < 4 * np.sqrt(share * (1 - share) / 1000) + 0.01
        true = mu[t, fresh] + norm.ppf(0.9) * sigma[t, fresh]
        assert np.sqrt(np.mean((found[t, fresh, 2] - true) ** 2)) < 0.2 * true.std()


def test_losses_are_those_of_scipy_and_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    y = torch.randn(2, 5, 1, generator=generator, dtype=torch.float64)
    law = Normal()
    mu, sigma = law.described(outputs[..., :2], torch.zeros(2, 1), torch.ones(2, 1)).unbind(-1)
    constant = 0.5 * np.log(2 * np.pi)
    expected = -norm.logpdf(y[..., 0], mu, sigma) - constant
    np.testing.assert_allclose(law.each(outputs[..., :2], y), expected)
    pinball = Quantiles(SHARES).each(outputs, y).numpy()
    for k in range(2):
        for i in range(5):
            each = [
                mean_pinball_loss(y[k, i].numpy(), outputs[k, i, j : j + 1].numpy(), alpha=share)
                for j, share in enumerate(SHARES)
            ]
            assert pinball[k, i] == pytest.approx(sum(each))


def test_outputs_without_measure_give_losses_and_gradients_that_are_finite():
    outputs = torch.tensor([[[0.0, -1e6], [0.0, 1e6], [1e3, -1e6]]], requires_grad=True)
    losses = Normal().each(outputs, torch.ones(1, 3, 1))
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert torch.isfinite(outputs.grad).all()


QUICK = RECIPE | {"epochs": 4, "early_stopping": 4}


def test_the_answers_about_all_others_change_nothing():
    """Whoever is in the pool, a member or not: what is regressed never saw what it was answered."""
    x, mu, _ = simulated(300)
    held_out, changed = np.arange(200, 300), mu.clone()
    changed[:, :200] += 100.0 * torch.randn(2, 200, generator=torch.Generator().manual_seed(3))
    before, after = (regressed(Normal(), x, s, held_out, QUICK) for s in (mu, changed))
    assert np.array_equal(before, after)
    changed[:, 250:] += 1.0
    assert not np.array_equal(before, regressed(Normal(), x, changed, held_out, QUICK))


def test_a_targets_regressor_is_its_own_in_whatever_company():
    x, mu, _ = simulated(200)
    together, apart = (
        regressed(Quantiles(SHARES), x, mu, np.arange(150), QUICK, at_once=n) for n in (2, 1)
    )
    np.testing.assert_allclose(together, apart, rtol=1e-3, atol=1e-3)
    alone = regressed(Quantiles(SHARES), x, mu[:1], np.arange(150), QUICK, targets=1)
    np.testing.assert_allclose(together[:1], alone, rtol=1e-3, atol=1e-3)
    assert abs(together[0] - together[1]).mean() > 1


def test_the_epoch_that_is_kept_is_the_best_for_those_that_judge():
    """Learned by heart, 40 noisy answers say less and less of others: a late epoch is not kept."""
    x, mu, _ = simulated(2000)
    s = mu[:1] + 3 * torch.randn(1, 2000, generator=torch.Generator().manual_seed(4))
    held_out, long = np.arange(50), RECIPE | {"epochs": 80, "batch_size": 10}
    losses = []
    for stopping in (80, None):
        recipe = long | {"early_stopping": stopping}
        m, d = regressed(Normal(), x, s, held_out, recipe, targets=1)[0, 50:].T
        losses.append(-norm.logpdf(s[0, 50:].numpy(), m, d).mean())
    assert losses[0] < losses[1] - 0.5


def test_the_split_is_by_lot_whole_and_refuses_what_is_too_few():
    held_out = np.arange(100, 153)
    learned, judges = regressors.split(held_out, rng(0, "x"))
    assert sorted([*learned, *judges]) == held_out.tolist()
    assert len(judges) == 11
    assert not np.array_equal(judges, regressors.split(held_out, rng(1, "x"))[1])
    with pytest.raises(ValueError, match="9 are fewer than 10"):
        regressors.split(np.arange(9), rng(0, "x"))


@pytest.mark.slow
def test_one_costs_at_most_four_shadow_models():
    """The held-out tenth is a fifth of a half: with the same epochs, a fraction of one model."""
    x = torch.randn(1800, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(1800) % 10
    empty = torch.empty(0, dtype=torch.long)
    data = Data(x, labels, empty, empty)
    shadows = [Model(m, np.arange(m, 1620, 2), m, m, m) for m in range(4)]
    recipe = QUICK | {"early_stopping": None, "batch_size": 32, "epochs": 10}

    def make():
        return mlp.build((1, 8, 8), 10, widths=[128])

    def seconds(work):
        start = time.process_time()
        work()
        return time.process_time() - start

    def four():
        trainer.train(make, recipe, data, shadows, 810, 4, lambda *_: None)

    def one():
        judged = recipe | {"early_stopping": recipe["epochs"]}
        regressed(Normal(), x, torch.randn(1, 1800), np.arange(1620, 1800), judged, 1, 1)

    times = [(seconds(one), seconds(four)) for _ in range(5)]
    assert np.median([a / b for a, b in times]) < 1
