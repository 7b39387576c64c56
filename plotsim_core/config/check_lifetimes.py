"""Problems of segments, and of the lives of their units: arrivals, tenures, and the time after their curve."""

from __future__ import annotations

from collections.abc import Iterator

from plotsim_core.config.arrivals import cohort_factors, cohort_sizes
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.effects import month_strengths
from plotsim_core.config.metrics import Metric
from plotsim_core.config.parts import Parts
from plotsim_core.config.segments import LinearArrival, MovedArrival, OngoingArrival, Segment, StepArrival, UniformArrival
from plotsim_core.config.window import Window
from plotsim_core.errors import Problem, value_text
from plotsim_core.numerics.codes import COHORT, COHORTS, LARGEST_SEGMENT, LATER, segment_number
from plotsim_core.numerics.quantiles import MeanUnreachable, quantile_table


def lives(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of the lives of each segment's units."""
    window = parts.window
    if window is None:
        return
    for path, segment in parts.segments:
        length = segment.span or window.length
        for period in segment.archetype.breaks:
            if period >= length:
                yield Problem(f"{path}.archetype", f"period {period} is not before the end of its {length} periods")
        if isinstance(segment.arrival, OngoingArrival):
            yield from _ongoing_arrival(path, segment, segment.arrival, window, parts.scale or 1.0)
        else:
            yield from _arrival(path, segment, length)
        yield from _life_ends(path, segment, window)
    if parts.kind is None:
        for kind in parts.kinds:
            yield from _silences(kind, parts)


def _silences(kind: Parts, whole: Parts) -> Iterator[Problem]:
    """Yield silent stretches of units of a kind where no table could lack rows for them: neither one of their own, nor a
    grid of another kind that combines them."""
    own_tables = [declaration.table for declaration in kind.tables if declaration.name not in kind.inherited_tables]
    all_tables = [declaration.table for declaration in whole.declared_tables]
    names = {table.name for table in own_tables if table is not None}
    has_rows = any(table is not None and "cell" in table.knows for table in own_tables)
    if has_rows or any(table is None or names & {*table.combined_units} for table in all_tables):
        return
    prefix = f"{kind.path}." if kind.path else ""
    for path, segment in kind.segments:
        if segment.silence is not None:
            yield Problem(f"{prefix}{path}.silence", "has no effect: no table has rows of units in periods")


def _arrival(path: str, segment: Segment, length: int) -> Iterator[Problem]:
    arrival = segment.arrival
    if arrival is None or isinstance(arrival, OngoingArrival):
        return
    if isinstance(arrival, UniformArrival | LinearArrival):
        stop = length if arrival.end is None else arrival.end
        if arrival.start >= stop:
            message = f"expected less than {stop}, before which units arrive, found {arrival.start}"
            yield Problem(f"{path}.arrival.start", message)
            return
        offsets = []
        if stop > length:
            message = f"expected at most {length}, where the window ends, found {stop}"
            yield Problem(f"{path}.arrival.end", message, "units arrive before this period, not in it")
    elif isinstance(arrival, StepArrival):
        offsets = [(f"blocks[{index}].period", block.period) for index, block in enumerate(arrival.blocks)]
    else:
        offsets = [(f"start_periods[{index}]", period) for index, period in enumerate(arrival.start_periods)]
    for field, offset in offsets:
        if offset >= length:
            yield Problem(f"{path}.arrival.{field}", f"expected a period of the window, 0 to {length - 1}, found {offset}")


def _ongoing_arrival(
    path: str, segment: Segment, arrival: OngoingArrival, window: Window, scale: float
) -> Iterator[Problem]:
    cohort_periods = window.grain.cohort
    limit = (COHORT - 1) / cohort_periods
    if arrival.per_period * scale > limit:
        message = f"{arrival.per_period * scale:g} units per {window.grain.noun}, scale included, are more than {limit:,.0f}"
        yield Problem(f"{path}.arrival.per_period", message, "split the segment: so many of one have keys of their own")
    if scale * segment.count > LATER:
        yield Problem(f"{path}.count", f"more than {LATER} units to begin with, scale included")
    if window.stop is not None and window.stop - window.first == 1:
        yield Problem(f"{path}.arrival", f"has no effect: the window has one {window.grain.noun}, and nobody comes later")
    if window.stop is not None and window.stop - window.first > COHORTS * cohort_periods:
        span_message = f"units arrive for at most {COHORTS * cohort_periods:,} {window.grain.plural}, the window has more"
        yield Problem(f"{path}.arrival", span_message)


def moved_arrivals(parts: Parts) -> Iterator[Problem]:
    """Yield the words of arrivals that move none of them, and arrivals that would grow beyond the keys that there are."""
    dataset, window = parts.dataset, parts.window
    if window is None:
        return
    is_fine = window.grain.is_within_day
    for path, segment in parts.segments:
        arrival = segment.arrival
        if not isinstance(arrival, MovedArrival):
            continue
        if arrival.seasonal_sensitivity != 0 and not dataset.seasonality:
            yield Problem(f"{path}.arrival.seasonal_sensitivity", "has no effect: there is no `seasonality`")
        elif dataset.seasonality and 1 + min(_season_changes(dataset, arrival.seasonal_sensitivity)) <= 0:
            message = "seasons would leave no arrivals in some months"
            yield Problem(f"{path}.arrival.seasonal_sensitivity", message, "what they multiply by has to stay above 0")
        if arrival.rhythm is not None and not is_fine:
            message = f"has no effect: a {window.grain.noun} has all weekdays"
            yield Problem(f"{path}.arrival.rhythm", message, "it moves arrivals between days and hours")
        elif arrival.rhythm is not None:
            if arrival.rhythm.hours is not None and not window.grain.is_part_of_day:
                yield Problem(f"{path}.arrival.rhythm.hours", "has no effect: units arrive with a day")
            if arrival.rhythm.holidays is not None and not dataset.calendar.holidays:
                yield Problem(f"{path}.arrival.rhythm.holidays", "has no effect: no day is a holiday")
        if isinstance(arrival, OngoingArrival):
            yield from _crowded_cohorts(path, segment, dataset)


def _season_changes(dataset: Dataset, sensitivity: float) -> list[float]:
    """Return by how much arrivals change in each month, as a share."""
    changes: list[float] = (month_strengths(dataset.seasonality) * sensitivity).tolist()
    return changes


def _crowded_cohorts(path: str, segment: Segment, dataset: Dataset) -> Iterator[Problem]:
    """Yield a problem where more units of a segment arrive together, in the window or its span, than there are keys for."""
    length = dataset.grain.cohort
    last = dataset.first + dataset.span if dataset.stop is None else dataset.stop
    cohorts = min(COHORTS, -(-max(1, last - dataset.first - 1) // length))
    sizes = cohort_sizes(dataset, segment)[:cohorts]
    if cohort_factors(dataset, segment) is not None and sizes.max() > COHORT - 1:
        message = f"up to {sizes.max():,.0f} units arrive in {length} {dataset.grain.plural}, scale included"
        hint = f"at most {COHORT - 1:,} have keys of their own; split the segment, or let it grow less"
        yield Problem(f"{path}.arrival.per_period", message, hint)


def _life_ends(path: str, segment: Segment, window: Window) -> Iterator[Problem]:
    if segment.after == "restart" and segment.variation.timing == 0:
        yield Problem(f"{path}.after", "restart has no effect other than repeat: no timing varies", "write `after: repeat`")
    if window.stop is None:
        return
    length = window.stop - window.first
    has_mixed_ages = isinstance(segment.arrival, OngoingArrival) and segment.arrival.ages == "mixed"
    if "after" in segment.model_fields_set and length <= (segment.span or window.length) and not has_mixed_ages:
        message = f"has no effect: the window ends with the span, after {length} periods"
        yield Problem(f"{path}.after", message, "leave it out")
    if segment.tenure is not None and segment.tenure.least >= length and not has_mixed_ages:
        tenure_message = f"has no effect: all stay for {segment.tenure.least} periods at least, and the window has {length}"
        yield Problem(f"{path}.tenure.least", tenure_message)


def segments(parts: Parts) -> Iterator[Problem]:
    """Yield segments whose units would share keys, unknown metrics of baselines, and segments of too many units."""
    numbers: dict[int, str] = {}
    for path, segment in parts.segments:
        other_name = numbers.setdefault(segment_number(segment.name), segment.name)
        if other_name != segment.name:
            yield Problem(
                f"{path}.name", f"units of {segment.name} would have the keys of units of {other_name}", "rename one"
            )
        for name, baseline in segment.baseline.items():
            yield from parts.scope.unknown_metric(name, f"{path}.baseline.{name}")
            metric = parts.scope.metrics.get(name)
            if metric is not None and isinstance(baseline, tuple):
                yield from _unreachable_means(metric, baseline, f"{path}.baseline.{name}")
        if (parts.scale or 1.0) * segment.count > LARGEST_SEGMENT:
            yield Problem(f"{path}.count", f"more than {LARGEST_SEGMENT} units, scale included")


def _unreachable_means(metric: Metric, means: tuple[float, float], path: str) -> Iterator[Problem]:
    """Yield means of a baseline that a metric's distribution cannot have."""
    try:
        low, high = quantile_table(metric.family, metric.parameters, metric.bounds, metric.means).mean_bounds()
    except MeanUnreachable:  # told of the metric
        return
    if means[0] < low or means[1] > high:
        message = f"a {metric.family} distribution of {metric.name} cannot have means {value_text(means)}"
        yield Problem(path, message, f"it can have {low:.4g} to {high:.4g}")
