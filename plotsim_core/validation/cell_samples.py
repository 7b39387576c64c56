"""Samples of cells: some units of each stratum in some periods, and what is stored of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from plotsim_core.columns.primary_key import unit_keys
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.strata import Stratum, strata, stratum_samples
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.store import StoredData

_MIN_UNITS = 20
"""The least number of sampled units of a segment, if it has them."""


def sampled_blocks(population: Population, first: int, stop: int, units: float) -> list[tuple[Stratum, Block]]:
    """Return each stratum of the periods `first` to `stop` with the block of its first units, about `units` in all."""
    parts = strata(population, first, stop)
    counts = stratum_samples(parts, units, _MIN_UNITS)
    blocks = (Block(population, Slice(first, stop, p.first, p.first + n)) for p, n in zip(parts, counts, strict=True))
    return list(zip(parts, blocks, strict=True))


def stored_cells(
    store: StoredData, table: TablePlan, unit: str, blocks: list[Block], selection: str, grouping: str = ""
) -> pa.Table:
    """Return what is stored of a table in the cells of some blocks: the indexes `period index` and `unit index` of the cell,
    and what an SQL `selection` gives, of each row or by a `grouping`. The column `unit` refers to the unit's dimension."""
    keys = pa.concat_arrays([unit_keys(block) for block in blocks])
    dates = pa.array(store.population.grain.keys(blocks[0].periods))
    for name, values in (("cell units", keys), ("cell periods", dates)):
        indexes = pa.array(np.arange(len(values), dtype=np.int64))
        store.connection.register(name, pa.table({"key": values, "index": indexes}))
    return store.arrow(
        f'SELECT periods.index AS "period index", units.index AS "unit index", {selection} '
        f"FROM {store.relation(table)} AS facts "
        f'JOIN "cell periods" AS periods ON facts.{quoted(table.time or "")} = periods.key '
        f'JOIN "cell units" AS units ON facts.{quoted(unit)} = units.key {grouping}'
    )
