"""What the reason codes of a verdict mean, for documents that describe each code once."""

from __future__ import annotations

from dataclasses import dataclass

from ..findings import Label, Severity
from ..rules import Precision

__all__ = ["ADVICE", "NOT_SCANNED", "SEVERITY", "Meaning", "meaning_of"]

NOT_SCANNED = "not-scanned"
"""Stands for a model without a report; no verdict has it."""

SEVERITY = {
    Label.BACKDOORED: Severity.CRITICAL,
    Label.SUSPICIOUS: Severity.MEDIUM,
    Label.INCONCLUSIVE: Severity.LOW,
    Label.CLEAN: Severity.NOTE,
}
"""How much a verdict should worry its reader."""

ADVICE = {
    Severity.CRITICAL: "Do not deploy this model. `onnxray repair` may remove the backdoor; a new download from its "
    "source, checked by hash, is better.",
    Severity.MEDIUM: "Do not deploy this model before somebody has looked at the recovered triggers and the evidence, "
    "or scan it again with more pictures.",
    Severity.LOW: "Treat this model as unchecked, not as clean: remove what stood in the way, and scan it again.",
    Severity.NOTE: "Nothing to do. No backdoor was found, which is evidence and not proof that there is none.",
}
"""What to do about a verdict of that severity."""


@dataclass(frozen=True)
class Meaning:
    """One reason code.

    Attributes:
        label: the verdict that it usually leads to.
        precision: how often what it says is so.
        says: one sentence.
    """

    label: Label
    precision: Precision
    says: str

    @property
    def severity(self) -> Severity:
        """Of the verdict that it usually leads to."""
        return SEVERITY[self.label]


BACKDOORED, SUSPICIOUS, INCONCLUSIVE, CLEAN = Label.BACKDOORED, Label.SUSPICIOUS, Label.INCONCLUSIVE, Label.CLEAN
LOW, MEDIUM, HIGH, VERY_HIGH = Precision
SANDBOX = Meaning(INCONCLUSIVE, HIGH, "The confined process that scanned the model did not come to its end.")
UNKNOWN = Meaning(SUSPICIOUS, LOW, "A reason that this version of onnxray does not know.")

REASONS = {
    "calibrated-score": Meaning(SUSPICIOUS, MEDIUM, "All that was measured of a class is rare among clean models."),
    "check-failed": Meaning(INCONCLUSIVE, HIGH, "A check that was due broke."),
    "check-skipped": Meaning(INCONCLUSIVE, HIGH, "A check that was due could not be run."),
    "clusters-unexplained": Meaning(
        INCONCLUSIVE, MEDIUM, "Training samples of some classes fall into two clusters, and nothing explains it."
    ),
    "few-triggers": Meaning(INCONCLUSIVE, HIGH, "A search found a trigger for too few classes to compare them."),
    "flagged": Meaning(INCONCLUSIVE, MEDIUM, "A method flags a class of which no trigger could be judged."),
    "further-suspect": Meaning(SUSPICIOUS, MEDIUM, "A further class is suspicious too."),
    "further-unsearched": Meaning(SUSPICIOUS, HIGH, "There was no time to look for all triggers of a class."),
    "low-accuracy": Meaning(INCONCLUSIVE, HIGH, "The model is wrong on too many of the pictures that it was given."),
    "no-gradient-search": Meaning(INCONCLUSIVE, HIGH, "Only searches without gradients looked for a trigger."),
    "no-outlier": Meaning(CLEAN, MEDIUM, "No class has a trigger much smaller than those of the others."),
    "no-witness": Meaning(SUSPICIOUS, MEDIUM, "A gate was found, and no picture that makes it fire."),
    "nominated": Meaning(SUSPICIOUS, LOW, "A method that searches no trigger flags a class."),
    "not-judged": Meaning(SUSPICIOUS, LOW, "No search for a trigger could judge the flagged class."),
    "not-proven": Meaning(SUSPICIOUS, MEDIUM, "The evidence falls short of what a conviction needs."),
    NOT_SCANNED: Meaning(INCONCLUSIVE, VERY_HIGH, "There is no verdict on the model, as no scan of it has ended."),
    "not-settled": Meaning(INCONCLUSIVE, HIGH, "A search ended before it had settled."),
    "nothing-judged": Meaning(INCONCLUSIVE, HIGH, "No trigger of any class was judged on unseen pictures."),
    "one-seed": Meaning(INCONCLUSIVE, MEDIUM, "A small trigger was found by too few searches."),
    "outlier": Meaning(BACKDOORED, HIGH, "A class's trigger is far smaller than those of the other classes."),
    "poisoned-samples": Meaning(BACKDOORED, HIGH, "Samples of the training set taught the model a hidden trigger."),
    "refuted": Meaning(CLEAN, MEDIUM, "A small trigger was found and does not work on unseen pictures."),
    "shared-trigger": Meaning(BACKDOORED, HIGH, "What suspicious training samples share works as a trigger."),
    "shifting-trigger": Meaning(BACKDOORED, HIGH, "One small trigger moves every class to another."),
    "small-trigger": Meaning(BACKDOORED, HIGH, "A class has a trigger smaller than those of the other classes."),
    "static-finding": Meaning(SUSPICIOUS, HIGH, "The file itself gives away what may be a backdoor."),
    "too-few-pictures": Meaning(INCONCLUSIVE, MEDIUM, "A small trigger was tried on too few pictures to tell."),
    "too-few-samples": Meaning(INCONCLUSIVE, HIGH, "Some classes have too few training samples to be judged."),
    "unexplained": Meaning(INCONCLUSIVE, MEDIUM, "A class stands out further than the trigger found for it explains."),
    "verified-trigger": Meaning(
        BACKDOORED, VERY_HIGH, "A recovered trigger turns unseen pictures into the target class."
    ),
    "witness": Meaning(BACKDOORED, VERY_HIGH, "A few pixels make a gate in the model's graph change the answer."),
}


def meaning_of(code: str) -> Meaning:
    """What a reason code means; of one that is not known, that it is not."""
    return SANDBOX if code.startswith("sandbox-") else REASONS.get(code, UNKNOWN)
