"""Noise of plotsim's engine layer: the same words as here, or a preset."""

from __future__ import annotations

from typing import Any

from plotsim_core.importers.reading import Part
from plotsim_core.numerics.noise import PRESETS


def noise_words(part: Part) -> Any:
    """Return noise in the words of this language: a preset where there is one, {} for none."""
    rates = tuple(part.number(name) for name in ("gaussian_sigma", "outlier_rate", "mcar_rate"))
    words: dict[str, Any] = {
        name: rate for name, rate in zip(("gaussian_sigma", "outlier_rate", "mcar_rate"), rates, strict=True) if rate
    }
    family = part.text("noise_family", "gaussian")
    if part.flag("scale_with_trajectory"):
        words["scale_with_trajectory"] = True
    if family != "gaussian":
        words["noise_family"] = family
    if part.has("degrees_of_freedom"):
        words["degrees_of_freedom"] = part.number("degrees_of_freedom")
    if not rates[0]:
        for name in [name for name in ("scale_with_trajectory", "noise_family", "degrees_of_freedom") if name in words]:
            del words[name]
            part.dropped(name, "without `gaussian_sigma` there is no jitter that it could shape")
    preset = next((name for name, values in PRESETS.items() if values == rates and any(rates)), None)
    return preset if preset is not None and words.keys() <= {"gaussian_sigma", "outlier_rate", "mcar_rate"} else words
