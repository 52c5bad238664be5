"""Adam over rows, held against torch's own."""

import torch
from onnxray.scanner.adam import Adam


def test_it_steps_as_torchs_own() -> None:
    ours, theirs = torch.ones(3, 2, 2), torch.ones(3, 2, 2, requires_grad=True)
    adam, reference = Adam([ours], 0.1, betas=(0.5, 0.9)), torch.optim.Adam([theirs], lr=0.1, betas=(0.5, 0.9))
    rows = torch.arange(3)
    for step in range(20):
        gradient = torch.randn(3, 2, 2, generator=torch.Generator().manual_seed(step))
        adam.step([gradient], rows)
        theirs.grad = gradient.clone()
        reference.step()
    torch.testing.assert_close(ours, theirs.detach())


def test_a_row_that_has_ended_stays_and_disturbs_no_other() -> None:
    one, all_rows = torch.zeros(1, 4), torch.zeros(3, 4)
    alone, together = Adam([one], 0.1), Adam([all_rows], 0.1)
    for step in range(10):
        gradient = torch.randn(3, 4, generator=torch.Generator().manual_seed(step))
        live = torch.arange(3) if step < 5 else torch.tensor([1])
        before = all_rows[0].clone()
        together.step([gradient[live]], live)
        alone.step([gradient[1:2]], torch.tensor([0]))
        assert step < 5 or torch.equal(all_rows[0], before)
    torch.testing.assert_close(all_rows[1:2], one)
