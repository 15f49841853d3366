"""The training loop: kept weights, refused checkpoints, and resumed runs."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from instashap import FileFormatError
from instashap.game.coalitions import compute_shapley_size_law
from instashap.neural.devices import choose_device
from instashap.neural.losses import compute_exact_loss, make_mask_masses
from instashap.neural.nets import AdditiveNet, NetShape
from instashap.neural.training import TrainingPlan, seed_weights, train

PLAN = TrainingPlan(n_epochs=6, batch_rows=8, learning_rate=0.05, device="cpu")


def run(plan, hold=None):
    """Fit ``y = 2 x`` with noise drawn by the loss; returns the net and the record."""
    x = torch.linspace(-1, 1, 40)[:, None]
    with seed_weights(plan.seed):
        net = torch.nn.Linear(1, 1)

    def compute_loss(rows, generator):
        noise = 0.1 * torch.randn(len(rows), 1, generator=generator)
        return (net(x[rows]) - 2 * x[rows] - noise).square().mean()

    return net, train(net, compute_loss, len(x), hold or (lambda: float((net(x) - 2 * x).square().mean())), plan)


def test_training_lowers_the_held_out_loss():
    net, record = run(replace(PLAN, n_epochs=60))
    assert net.weight.item() == pytest.approx(2.0, abs=0.1)
    assert record.held_out_losses[record.best_epoch] == min(record.held_out_losses)


def test_weights_are_those_of_the_best_epoch():
    seen = []

    def hold():
        seen.append(None)
        return [5.0, 1.0, 2.0, 3.0, 4.0, 5.0][len(seen) - 1]

    best, record = run(PLAN, hold)
    assert record.best_epoch == 1
    kept = []
    two, _ = run(replace(PLAN, progress=lambda share, _: kept.append(share)), lambda: [5.0, 1.0, 9.0][min(len(kept), 2)])
    assert best.weight.item() == two.weight.item()


def test_training_stops_when_nothing_gets_better():
    _, record = run(replace(PLAN, patience=2), iter([3.0, 1.0, 2.0, 2.0, 2.0, 2.0]).__next__)
    assert len(record.losses) == 4


def test_one_seed_gives_one_answer_and_another_seed_another():
    assert run(PLAN)[0].weight.item() == run(PLAN)[0].weight.item()
    assert run(PLAN)[0].weight.item() != run(replace(PLAN, seed=1))[0].weight.item()


def test_an_interrupted_run_resumes_to_the_same_bits(tmp_path):
    whole, record = run(PLAN)

    def cut_off(share, _):
        if share >= 0.5:
            raise KeyboardInterrupt

    plan = replace(PLAN, checkpoint=tmp_path / "run.pt")
    with pytest.raises(KeyboardInterrupt):
        run(replace(plan, progress=cut_off))
    resumed, again = run(plan)
    assert torch.equal(resumed.weight, whole.weight)
    assert torch.equal(resumed.bias, whole.bias)
    assert again == record


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    plan = replace(PLAN, checkpoint=tmp_path / "run.pt")
    run(plan)
    with pytest.raises(ValueError, match="another net, seed or schedule"):
        run(replace(plan, seed=3))


@pytest.mark.parametrize("keep", [0, 20, 300, -1])
def test_a_damaged_checkpoint_is_refused(tmp_path, keep):
    plan = replace(PLAN, checkpoint=tmp_path / "run.pt")
    run(plan)
    (tmp_path / "run.pt").write_bytes((tmp_path / "run.pt").read_bytes()[:keep])
    with pytest.raises(FileFormatError, match=r"run\.pt' is damaged or not a checkpoint .*: remove it, or name another file"):
        run(plan)
    (tmp_path / "run.pt").unlink()  # the advice
    run(plan)


def test_a_loss_of_nan_is_an_error():
    with pytest.raises(FloatingPointError, match="NaN in epoch 1"):
        run(PLAN, lambda: float("nan"))


def test_an_open_plan_is_completed_by_the_number_of_rows():
    complete = TrainingPlan(batch_rows=100).complete(10_000)
    assert (complete.n_epochs, complete.patience, complete.n_batches) == (20, 10, 100)
    assert TrainingPlan(batch_rows=100).complete(10).n_epochs == 400


def test_weights_are_drawn_by_the_seed_and_leave_the_callers_random_state_alone():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    with seed_weights(5):
        first = torch.rand(1)
    assert float(torch.rand(1)) == float(expected)
    with seed_weights(5):
        assert float(torch.rand(1)) == float(first)


def test_unknown_and_missing_devices_are_refused():
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="torch does not know device='abacus'"):
        choose_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="not available to torch on this machine"):
            choose_device("cuda")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler, and there is no g++")
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:torch")
@pytest.mark.filterwarnings("ignore:.*:FutureWarning:torch")
def test_a_compiled_net_learns_the_same_from_batches_of_two_sizes():
    law = compute_shapley_size_law(3)
    generator = torch.Generator().manual_seed(0)
    rows, target = torch.randn(245, 3, generator=generator), torch.randn(245, 1, generator=generator)

    def learn(plan):
        with seed_weights(0):
            net = AdditiveNet(np.arange(3), [(0,), (1,), (2,), (0, 1), (0, 2)], range(3), [(0, 1), (1, 2)], 1, NetShape())
        masses = make_mask_masses(net.presence_sets, law)

        def compute_loss(batch, generator):
            return compute_exact_loss(net(rows[batch]), target[batch], torch.ones(len(batch)), masses)

        return train(net, compute_loss, len(rows), lambda: float(compute_loss(torch.arange(245), None)), plan).held_out_losses

    plan = TrainingPlan(n_epochs=2, batch_rows=60, device="cpu")  # four batches: 62, 61, 61, 61
    np.testing.assert_allclose(learn(replace(plan, compile=True)), learn(plan), rtol=1e-4)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision='half'"):
        run(replace(PLAN, precision="half"))
