"""Tenures: for how many periods units stay, by a mean or by hazards of leaving that change with age."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator

from plotsim_core.config.model import Part, Share
from plotsim_core.config.partial import refuse
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.survival import Survival, hazard_survival, weibull_survival
from plotsim_core.numerics.tenure import mixed_ages, total_tenure

_LONGEST_SHAPED = 10_000
"""The longest mean of a tenure with a shape."""


class Tenure(Part):
    """How many periods units stay, their first included; then their lives end, if no event has ended them before.

    Every unit stays for `least` periods; after that, as many leave in every period in proportion to those who are there,
    so that they stay for `mean` periods on average. With `least` the same as `mean` all stay exactly so long. With a
    `shape` below 1 ever fewer leave the longer they have stayed, with one above 1 ever more; the mean stays what it is.
    `hazards` say it period by period.
    """

    mean: Annotated[float, Field(ge=1, le=10_000_000, strict=True)] | None = None
    """For how many periods a unit stays on average."""
    least: Annotated[int, Field(ge=1, le=10_000_000, strict=True)] = 1
    """For how many it stays at least."""
    shape: Annotated[float, Field(ge=0.5, le=10, strict=True)] | None = None
    """How the share that leaves changes with age after `least`: it falls below 1 and rises above (Weibull)."""
    hazards: Annotated[tuple[Share, ...], Field(min_length=2, max_length=1000)] | None = None
    """The share of those who are there that leaves after the first period of their lives, the second and so on; the last
    goes on."""

    @model_validator(mode="after")
    def _consistent(self) -> Tenure:
        refuse(self._mean_problems() if self.hazards is None else self._hazard_problems())
        return self

    def _mean_problems(self) -> Iterator[Problem]:
        if self.mean is None:
            yield Problem("mean", "is missing", "for how many periods a unit stays on average; or give `hazards`")
            return
        if self.mean < self.least:
            yield Problem("mean", f"expected at least {self.least}, the `least`, found {self.mean:g}")
        if self.shape is None:
            return
        if self.shape == 1:
            yield Problem("shape", "1 has no effect: as many leave at every age anyway", "leave it out")
        elif self.mean == self.least:
            yield Problem("shape", "has no effect: all stay for as long as `least` says")
        elif self.mean > _LONGEST_SHAPED:
            yield Problem("mean", f"expected at most {_LONGEST_SHAPED:,} with a `shape`, found {self.mean:g}")

    def _hazard_problems(self) -> Iterator[Problem]:
        for name in ("mean", "least", "shape"):
            if name in self.model_fields_set:
                yield Problem(name, "does not go with `hazards`, which say how long units stay", "leave one of them out")
        hazards = self.hazards or ()
        if hazards[-1] == 0:
            message = "expected more than 0, found 0: the last goes on, and nobody would leave"
            yield Problem(f"hazards[{len(hazards) - 1}]", message)
        if 1 in hazards[:-1]:
            yield Problem(f"hazards[{hazards.index(1) + 1}]", "has no effect: all have left before", "leave it out")

    @property
    def survival(self) -> Survival | None:
        """The share that stays for so many periods; None where the same share leaves at every age after `least`."""
        if self.hazards is not None:
            return hazard_survival(self.hazards)
        return None if self.shape is None or self.mean is None else weibull_survival(self.mean, self.least, self.shape)

    @property
    def average(self) -> float:
        """For how many periods units stay on average."""
        if self.hazards is not None:
            return hazard_survival(self.hazards).mean
        assert self.mean is not None  # a tenure without hazards has one
        return self.mean

    def total(self, age: Integers, u: Floats) -> Integers:
        """Return for how many periods units stay in all that have stayed for `age` and stay for one more at least."""
        survival = self.survival
        return total_tenure(self.average, self.least, age, u) if survival is None else survival.tenures(age, u)

    def ages(self, u: Floats) -> Integers:
        """Return how many periods those have stayed before who are there at some time."""
        survival = self.survival
        return mixed_ages(self.average, self.least, u) if survival is None else survival.ages(u)
