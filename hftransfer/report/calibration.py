"""What became of the scores, in a sentence."""

from __future__ import annotations

from hftransfer.result import Result


def calibration_told(result: Result) -> str:
    """The temperature of the logits and what it did, on test where there is one; "" where there is none to tell of."""
    facts = result.calibration
    if not facts:
        return ""
    split = "test" if "test" in facts["ece"] else "validation"
    errors = facts["ece"][split]
    if facts["temperature"] == 1:
        why = f" ({facts['why']})" if facts["why"] else ""
        return f"temperature 1{why}: calibration error (ECE) {errors['after']:.4f} on {split}"
    where = "in the saved weights" if facts["folded"] else "applied by predict and evaluate alone"
    fitted = "fitted on validation" if split == "test" else "fitted on the same rows"
    return (
        f"temperature {facts['temperature']:.3g}, {fitted}, {where}: calibration error (ECE) "
        f"{errors['before']:.4f} before, {errors['after']:.4f} after on {split}"
    )
