"""Metrics of plotsim's engine layer: a distribution with SciPy's parameters becomes a type, a range and two means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plotsim_core.families import did_you_mean
from plotsim_core.importers.plotsim.families import (
    FAMILIES,
    Family,
    Pair,
    Parameters,
    added_range,
    digits,
    possible_means,
    short,
)
from plotsim_core.importers.plotsim.noise import noise_words
from plotsim_core.importers.reading import Part

Words = dict[str, Any]
_ORDER = (
    *("name", "type", "polarity", "label", "range", "mean", "follows", "delay", "decay_window", "decay_kernel"),
    *("seasonal_sensitivity", "distribution", "distribution_params", "noise"),
)

_OF_ANY_SIGN = ("loc", "mu")
"""Parameters that may be 0 and below."""


@dataclass(frozen=True)
class Metric:
    """A metric as read: its part of the document, its family and parameters there, its words here, and the range and means
    that others compare with."""

    part: Part
    family: Family
    parameters: Parameters
    words: Words
    range: Pair | None
    means: Pair | None

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.words["name"])

    @property
    def is_count(self) -> bool:
        """Whether its values are whole numbers."""
        return bool(self.words["type"] == "count")


def read_metric(part: Part) -> Metric:
    """Return a metric in the words of this language."""
    words: Words = {"name": part.text("name", is_required=True), "label": part.text("label")}
    words["polarity"] = part.text("polarity", "positive", is_required=True)
    family = _family(part)
    parameters, bounds = read_parameters(part, family), read_range(part)
    words["type"] = _type(family, bounds)
    means = family.means(parameters)
    if family.name == "poisson" and bounds is not None:
        part.dropped("value_range", "a count has no range; its mean is that of `lambda`")
        bounds = None
    if means[1] < means[0]:
        words["polarity"] = {"positive": "negative"}.get(words["polarity"], "positive")
        part.approximated("params", "the mean falls with the position, which is said by the polarity: it is turned round")
        means = means[1], means[0]
    if bounds is None and family.name != "poisson":
        bounds = means if family.name == "beta" else added_range(family, parameters, means)
        if family.name != "beta":
            reason = f"an {words['type']} has a range: {bounds[0]:g} to {bounds[1]:g} is added, which cuts nothing off"
            part.approximated("", reason)
    own_means = None if family.name == "beta" else _means(part, family, parameters, bounds, means)
    shape = _shape(part, family, parameters)
    if bounds is not None and words["type"] != "score":
        words["range"] = [short(edge) for edge in bounds]
    if own_means is not None:
        words["mean"] = [short(mean) for mean in own_means]
    if shape or _usual_family(words["type"], bounds) != family.name:
        words["distribution"] = family.name
    if shape:
        words["distribution_params"] = {name: short(value) for name, value in shape.items()}
    words |= _driver(part)
    if part.number("seasonal_sensitivity", 1.0) != 1.0:
        words["seasonal_sensitivity"] = part.number("seasonal_sensitivity")
    noise = part.mapping("noise_override")
    if noise is not None:
        words["noise"] = noise_words(noise) or "clean"
    ordered = {name: words[name] for name in _ORDER if name == "name" or words.get(name) not in (None, "")}
    return Metric(part, family, parameters, ordered, bounds, own_means)


def _family(part: Part) -> Family:
    name = part.text("distribution", is_required=True)
    if name and name not in FAMILIES:
        part.problem("distribution", f"plotsim has no distribution '{name}'", did_you_mean(name, list(FAMILIES)))
    return FAMILIES.get(name, FAMILIES["beta"])


def read_parameters(part: Part, family: Family) -> dict[str, float]:
    """Return the parameters of a family, as far as they are given."""
    values = part.mapping("params")
    parameters: dict[str, float] = {}
    if values is None:
        return parameters
    for name in [name for name in (*family.shapes, *family.scales) if values.has(name)]:
        parameters[name] = values.number(name, 1.0)
        if parameters[name] <= 0 and name not in _OF_ANY_SIGN:
            values.problem(name, f"expected more than 0, found {parameters[name]:g}")
            parameters[name] = 1.0
    return parameters


def read_range(part: Part) -> Pair | None:
    """Return the least and the largest value; None where a part says none."""
    bounds = part.mapping("value_range")
    if bounds is None:
        return None
    low, high = (bounds.number(name, is_required=True) for name in ("min", "max"))
    if low < high:
        return low, high
    bounds.problem("max", f"expected more than the min, {low:g}, found {high:g}")
    return None


def _type(family: Family, bounds: Pair | None) -> str:
    if family.name == "beta" and bounds in (None, (0.0, 1.0)):
        return "score"
    return {"poisson": "count", "normal": "index"}.get(family.name, "amount")


def _usual_family(type_: str, bounds: Pair | None) -> str:
    """Return the family that a type has by itself."""
    if type_ == "amount" and bounds is not None:
        return "lognormal" if bounds[0] <= 0 or bounds[1] / bounds[0] >= 10 else "beta"
    return {"score": "beta", "count": "poisson", "index": "normal"}.get(type_, "")


def _shape(part: Part, family: Family, parameters: Parameters) -> dict[str, float]:
    """Return the parameters that say how values scatter. Those of a beta say no more than that: the trajectory says where
    its mean is."""
    shape = family.shape(parameters)
    if family.name != "beta" or len(shape) < 2:
        return {} if family.name == "beta" else shape
    if sum(shape.values()) < 2:
        reason = "alpha and beta add up to less than 2: values would pile up on both bounds, so they scatter as usual"
        part.dropped("params", reason)
        return {}
    reason = "alpha and beta say how much values scatter; the mean goes from a tenth to nine tenths of the range"
    part.approximated("params", reason)
    return shape


def _means(part: Part, family: Family, parameters: Parameters, bounds: Pair | None, means: Pair) -> Pair | None:
    """Return the means at positions 0 and 1, and note where they are others than plotsim's."""
    possible = possible_means(family, parameters, bounds, means) if means[0] < means[1] else None
    if possible is None:
        part.approximated("params", "the mean does not rise with the position; it goes over the usual part of the range")
    elif possible != (digits(means[0]), digits(means[1])):
        theirs = f"{digits(means[0]):g} and {digits(means[1]):g}"
        reason = (
            f"the mean is {possible[0]:g} at position 0 and {possible[1]:g} at 1, where plotsim's parameters give {theirs}"
        )
        part.approximated("params", reason)
    return possible


def _driver(part: Part) -> Words:
    """Return what a metric follows."""
    lag = part.mapping("causal_lag")
    if lag is None:
        return {}
    words: Words = {"follows": lag.text("driver", is_required=True), "delay": lag.integer("lag_periods", 1)}
    weight = lag.number("blend_weight", 1.0)
    if weight == 0:
        lag.dropped("", "with a blend_weight of 0 the metric does not follow its driver")
        lag.record.whole.add(lag.path)
        return {}
    if weight != 1:
        lag.approximated("blend_weight", f"a metric follows its driver wholly, not {weight:g} of the way")
    window, kernel = lag.integer("decay_window"), lag.text("decay_kernel", "geometric")
    if not lag.flag("decay"):
        for key in [key for key, is_said in (("decay_window", window), ("decay_kernel", kernel != "geometric")) if is_said]:
            lag.dropped(key, "without `decay` it has no effect")
    elif window > 1:
        words |= {"decay_window": window} | ({"decay_kernel": kernel} if kernel != "geometric" else {})
    else:
        lag.approximated("decay", "a decay over one period is a plain delay")
    return words
