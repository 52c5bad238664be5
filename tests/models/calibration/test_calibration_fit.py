"""What is learnt from made-up scans whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from onnxray.models.calibration.examples import Example, with_less
from onnxray.models.calibration.fitting import CONVICTIONS, FALSE_ALARMS, deviations, fit, level
from onnxray.scanner.errors import SamplesError

K, SEARCHES = 10, ("search",)


def scans(count: int, seed: int, strength: float = 2.0) -> list[Example]:
    """Half of them trojaned: the search sees their target well, the margin a little, the third not at all."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        table = {name: rng.normal(1.0, 0.4, K) for name in ("search.far", "margin.rare", "noise.rare")}
        target = int(rng.integers(K))
        if i % 2:
            table["search.far"][target] += strength
            table["margin.rare"][target] += strength / 3
            table["noise.rare"][target] /= 3  # as if it spoke for the model
        signals = {name: tuple(values.clip(0, 4).tolist()) for name, values in table.items()}
        found.append(Example(name=f"m{seed}-{i}", signals=signals, trojaned=bool(i % 2), targets=(target,) * (i % 2)))
    return found


def test_what_tells_gets_weight_and_what_speaks_the_wrong_way_gets_none() -> None:
    made = fit(scans(80, 0), scans(60, 1), SEARCHES, {})
    assert "noise.rare" not in made.weights
    assert made.weights["search.far"] > 0
    assert made.weights["margin.rare"] > 0
    new = scans(400, 2)
    rated = [made.score(e.signals) for e in new]
    right = [r.target in e.targets for r, e in zip(rated, new, strict=True) if e.trojaned]
    assert np.mean(right) > 0.95
    alarms = np.mean([r.suspicious for r, e in zip(rated, new, strict=True) if not e.trojaned])
    found = np.mean([r.suspicious for r, e in zip(rated, new, strict=True) if e.trojaned])
    assert alarms <= 4 * FALSE_ALARMS
    assert found > 0.8


def test_scores_mean_what_they_say() -> None:
    """Of new models with a score of about p, about p are trojaned."""
    made = fit(scans(200, 0, 1.0), scans(200, 1, 1.0), SEARCHES, {})
    new = scans(2000, 2, 1.0)
    scores = np.asarray([made.score(e.signals).score for e in new])
    truth = np.asarray([e.trojaned for e in new])
    middle = (scores > 0.3) & (scores < 0.7)
    assert middle.sum() > 50
    assert truth[middle].mean() == pytest.approx(scores[middle].mean(), abs=0.12)


def test_the_cut_without_pictures_is_made_on_scans_without_pictures() -> None:
    """With pictures the margin is corrected for what is so by nature; without, clean models reach further."""
    held = scans(60, 1)
    raw = [
        replace(e, signals={"margin.rare": tuple(v + 1 for v in e.signals["margin.rare"])}, samples=0)
        for e in held
        if not e.trojaned
    ]
    corrected = fit(scans(80, 0), held, SEARCHES, {})
    made = fit(scans(80, 0), [*held, *raw], SEARCHES, {})
    assert made.levels["nominated"].clean == corrected.levels["nominated"].clean
    alarms = [made.score(e.signals).suspicious for e in raw]
    assert np.mean(alarms) < 0.1 < np.mean([corrected.score(e.signals).suspicious for e in raw])


def test_evidence_without_the_search_is_worth_less_and_has_its_own_cut() -> None:
    made = fit(scans(80, 0), scans(60, 1), SEARCHES, {})
    (one,) = [e for e in scans(4, 5) if e.trojaned][:1]
    less = replace(one, signals={"margin.rare": one.signals["margin.rare"]})
    assert made.score(one.signals).level == "searched"
    assert made.score(less.signals).level == "nominated"
    assert abs(made.score(less.signals).score - 0.5) < abs(made.score(one.signals).score - 0.5)


def test_a_model_with_fewer_methods_counts_as_one_model() -> None:
    (first, *_) = scans(2, 0)
    parts = list(with_less(first, SEARCHES))
    assert sum(p.weight for p in parts) == pytest.approx(1.0)
    kinds = {tuple(sorted(p.signals)) for p in parts}
    assert ("search.far",) in kinds
    assert ("margin.rare", "noise.rare") in kinds
    assert len(kinds) == len(parts)


def test_attacks_that_aim_everywhere_do_not_teach_what_a_target_looks_like() -> None:
    learn = scans(80, 0)
    everywhere = [replace(e, name=e.name + "x", targets=tuple(range(K))) for e in scans(80, 7, 0.0) if e.trojaned]
    assert fit([*learn, *everywhere], scans(60, 1), SEARCHES, {}).weights == fit(
        learn, scans(60, 1), SEARCHES, {}
    ).weights  # fmt: skip


def test_too_few_models_are_refused() -> None:
    with pytest.raises(SamplesError, match=r"at least 5 clean and 5 trojaned.*build more"):
        fit(scans(80, 0), scans(8, 1), SEARCHES, {})
    with pytest.raises(SamplesError, match="clean and of trojaned"):
        fit([e for e in scans(80, 0) if e.trojaned], scans(60, 1), SEARCHES, {})


def test_the_cut_follows_the_clean_models() -> None:
    made = fit(scans(80, 0), scans(60, 1), SEARCHES, {})
    noisier = [
        e if e.trojaned else replace(e, signals={n: tuple(min(4.0, 2 * x) for x in v) for n, v in e.signals.items()})
        for e in scans(60, 1)
    ]
    assert level(made, noisier).suspicious > made.levels["searched"].suspicious


@pytest.mark.parametrize("seen", [5, 18, 200])
def test_the_cut_lets_the_wanted_share_of_further_clean_models_through(seen: int) -> None:
    values = np.random.default_rng(7).gumbel(3.0, 2.0, size=(100_000, seen + 1)).astype(np.float32)
    before, following = values[:, :-1], values[:, -1]
    for share in (CONVICTIONS, FALSE_ALARMS):
        cut = before.mean(1) + deviations(seen, share) * before.std(1, ddof=1)
        assert (following > cut).mean() == pytest.approx(share, rel=0.2)


def test_the_fewer_models_the_further_out_the_cut() -> None:
    further = [deviations(seen, FALSE_ALARMS) for seen in (5, 18, 60, 1000)]
    assert further == sorted(further, reverse=True)
    assert further[-1] == pytest.approx(2.59, abs=0.05)  # of the Gumbel distribution itself
