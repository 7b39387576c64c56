"""People's own assets take tables from a store, and hand theirs over, in the type that they are annotated with."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from plotsim_core import generate_tables
from plotsim_pipeline.assets.tables import resources_of, table_assets
from plotsim_pipeline.partitions import partitions_for
from plotsim_pipeline.stores.parquet import ParquetStore
from plotsim_pipeline.stores.store import Store
from plotsim_pipeline.stores.types import TYPES
from tests.pipeline.support import DUCKDB_FIRST, END, KINDS, START, keys_of, materialise, plan_of, store_at
from tests.pipeline.test_stores import placed, rows

pytestmark = pytest.mark.slow

PLAN = plan_of("minimal")
PARTITIONS = partitions_for(PLAN)
KEYS = keys_of(PLAN)
UPSTREAM = table_assets(PLAN, PARTITIONS)
RESOURCES = resources_of(PLAN)
TABLE, STATE = dg.AssetKey(["minimal", "fct_payments"]), dg.AssetKey(["minimal", "dim_customer"])
ROWS = generate_tables(PLAN)["fct_payments"]
CLASSES = {
    "pyarrow.Table": pa.Table,
    "pyarrow.RecordBatchReader": pa.RecordBatchReader,
    "pandas.DataFrame": pd.DataFrame,
    "duckdb.DuckDBPyRelation": duckdb.DuckDBPyRelation,
    "polars.DataFrame": pl.DataFrame,
    "polars.LazyFrame": pl.LazyFrame,
}


def frame(value: Any) -> pd.DataFrame:
    """Return a table of any type as a pandas frame, by that type's own means."""
    if isinstance(value, pa.Table):
        return value.to_pandas()
    if isinstance(value, pa.RecordBatchReader):
        return value.read_pandas()
    if isinstance(value, duckdb.DuckDBPyRelation):
        return value.df()
    if isinstance(value, pl.LazyFrame):
        value = value.collect()
    return value if isinstance(value, pd.DataFrame) else value.to_arrow().to_pandas()


def asks(
    store: Store,
    type_: Any,
    partition: str | None = None,
    between: tuple[str, str] | None = None,
    mapping: dg.PartitionMapping | None = None,
    of: dg.AssetKey = TABLE,
) -> pd.DataFrame:
    """Run an asset of one's own that reads a table as a type, for a partition or those of a range, or without partitions;
    return what it was given."""
    inputs: list[pd.DataFrame] = []

    def body(rows):  # type: ignore[no-untyped-def]
        assert isinstance(rows, pa.Table if type_ in (None, Any) else type_)
        inputs.append(frame(rows))

    body.__annotations__ = {} if type_ is None else {"rows": type_}
    reads = dg.AssetIn(key=of, partition_mapping=mapping)
    partitions = PARTITIONS if partition or between else None
    downstream = dg.asset(name="downstream", ins={"rows": reads}, partitions_def=partitions, io_manager_key="memory")(body)
    dg.materialize(
        [*UPSTREAM, downstream],
        selection=[downstream],
        resources={"store": store, "memory": dg.mem_io_manager, **RESOURCES},
        partition_key=partition,
        tags={START: between[0], END: between[1]} if between else None,
    )
    (rows,) = inputs
    return rows


def same(rows: pd.DataFrame, first: str, last: str) -> bool:
    """Return whether rows are those of a range of months, as the generator gives them."""
    low, high = (int(key.replace("-", "")) for key in (first, last))
    expected = ROWS[ROWS["date_key"].between(low, high)]
    order = list(expected.columns[:2])
    one, other = (table.sort_values(order).astype(object).to_numpy().tolist() for table in (rows, expected))
    return bool(one) and one == other


@pytest.fixture(scope="module", params=KINDS)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = store_at(request.param, tmp_path_factory.mktemp("filled"))
    materialise(PLAN, store, KEYS, only=["fct_payments", "dim_customer"])
    return store


def test_every_type_is_tried() -> None:
    assert list(TYPES) == list(CLASSES)


@pytest.mark.parametrize("name", [*CLASSES, "none", "Any"])
def test_an_input_comes_in_the_annotated_type(filled: Store, name: str) -> None:
    """One partition, a range of them in one run, and of an asset without partitions the whole table."""
    type_ = {"none": None, "Any": Any, **CLASSES}[name]
    one = asks(filled, type_, KEYS[3])
    assert same(one, KEYS[3], KEYS[3])
    assert same(asks(filled, type_, between=(KEYS[2], KEYS[5])), KEYS[2], KEYS[5])
    assert same(asks(filled, type_), KEYS[0], KEYS[-1])


def test_rows_come_in_the_order_of_time_and_key(filled: Store) -> None:
    """Parquet gives them in the order of its files, which is that of time."""
    rows = asks(filled, pa.Table)
    keys = list(zip(rows["date_key"], rows["customer_id"], strict=True))
    assert [day for day, _ in keys] == sorted(day for day, _ in keys)
    assert isinstance(filled, ParquetStore) or keys == sorted(keys)


def test_a_mapping_chooses_the_partitions(filled: Store) -> None:
    """The months before, months that do not follow each other, the last one, and none."""
    before = dg.TimeWindowPartitionMapping(start_offset=-2, end_offset=-1)
    assert same(asks(filled, pd.DataFrame, KEYS[4], mapping=before), KEYS[2], KEYS[3])
    apart = asks(filled, pd.DataFrame, mapping=dg.SpecificPartitionsPartitionMapping([KEYS[1], KEYS[4]]))
    assert same(apart[apart["date_key"] < 20240301], KEYS[1], KEYS[1])
    assert same(apart[apart["date_key"] > 20240301], KEYS[4], KEYS[4])
    assert same(asks(filled, pd.DataFrame, mapping=dg.LastPartitionMapping()), KEYS[-1], KEYS[-1])
    none = asks(filled, pd.DataFrame, KEYS[0], mapping=dg.TimeWindowPartitionMapping(-1, -1))
    assert len(none) == 0 and list(none) == list(ROWS)


def test_a_state_is_whole_whatever_partition_is_asked_for(filled: Store) -> None:
    whole = asks(filled, pd.DataFrame, of=STATE)
    assert len(whole) == 80
    assert asks(filled, pd.DataFrame, KEYS[2], of=STATE).equals(whole)
    none = dg.TimeWindowPartitionMapping(-1, -1)
    assert asks(filled, pd.DataFrame, KEYS[0], mapping=none, of=STATE).equals(whole)


def test_a_table_is_read_outside_of_a_run(filled: Store) -> None:
    """As a notebook does it: by the definitions, a partition or all of it."""
    defs = dg.Definitions(assets=UPSTREAM, resources={"store": filled, **RESOURCES})
    assert same(defs.load_asset_value(TABLE, python_type=pd.DataFrame, partition_key=KEYS[2]), KEYS[2], KEYS[2])
    assert same(defs.load_asset_value(TABLE, python_type=pd.DataFrame), KEYS[0], KEYS[-1])


@pytest.mark.parametrize("type_", [list, dict, int, pd.Series, pd.DataFrame | None])
def test_another_type_is_refused_with_what_there_is(tmp_path: Path, type_: Any) -> None:
    store = store_at("duckdb", tmp_path)
    with pytest.raises(dg.Failure) as raised:
        asks(store, type_)
    assert str(raised.value).startswith("minimal/fct_payments is asked for as ")
    assert all(name in str(raised.value) for name in TYPES)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_stored_is_an_error_and_never_an_empty_table(kind: str, tmp_path: Path) -> None:
    """A table and a partition; an asset without partitions reads what is stored."""
    store = store_at(kind, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"fct_payments: .* not materialised"):
        asks(store, pd.DataFrame, KEYS[3])
    materialise(PLAN, store, KEYS[:3], only=["fct_payments"])
    with pytest.raises(FileNotFoundError, match=f"{KEYS[3]} is not materialised"):
        asks(store, pd.DataFrame, KEYS[3])
    with pytest.raises(FileNotFoundError, match=f"{KEYS[3]}, {KEYS[4]} is not materialised"):
        asks(store, pd.DataFrame, between=(KEYS[1], KEYS[4]))
    assert same(asks(store, pd.DataFrame), KEYS[0], KEYS[2])


def test_a_stream_holds_the_file_only_while_it_is_read(tmp_path: Path) -> None:
    """Nothing before its first batch, nothing after its last one; and a relation never does."""
    store = store_at("duckdb", tmp_path)
    materialise(PLAN, store, KEYS[:2], only=["fct_payments"])
    inputs: dict[str, Any] = {}

    @dg.asset(ins={"rows": dg.AssetIn(key=TABLE)}, io_manager_key="memory")
    def stream(rows: pa.RecordBatchReader) -> None:
        inputs["stream"] = rows

    @dg.asset(ins={"rows": dg.AssetIn(key=TABLE)}, io_manager_key="memory")
    def relation(rows: duckdb.DuckDBPyRelation) -> None:
        inputs["relation"] = rows

    resources = {"store": store, "memory": dg.mem_io_manager, **RESOURCES}
    dg.materialize([*UPSTREAM, stream, relation], selection=[stream, relation], resources=resources)

    def is_open() -> bool:
        """Whether this process has the file open: a connection with other settings is refused then."""
        try:
            duckdb.connect(store.path, read_only=True).close()
        except duckdb.ConnectionException:
            return True
        return False

    reader, rows = inputs["stream"], inputs["relation"]
    assert not is_open()
    batch = reader.read_next_batch()
    assert is_open()
    assert batch.num_rows + sum(more.num_rows for more in reader) == rows.count("*").fetchall()[0][0] > 0
    assert not is_open()
    assert duckdb.sql("SELECT count(*) FROM rows WHERE date_key = 20240101").fetchall()[0][0] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_read_in_pieces(kind: str, tmp_path: Path) -> None:
    """A reader has given its first batch when it has read one partition of the Parquet and Delta stores, and of DuckDB
    131,072 rows: not the table."""
    store = store_at(kind, tmp_path)
    many = 200_000
    store.write(placed(1, 2), rows(*[(20240101 + (n >= many), f"{n:07d}", 1.0) for n in range(2 * many)]))
    first = store.stream(placed(1, 2)).read_next_batch()
    assert 0 < first.num_rows <= many
    assert store.read(placed(1, 2)).num_rows == 2 * many


OWN = pd.DataFrame(
    {
        "day": pd.to_datetime(["2024-02-01", "2024-01-02", "2024-02-20", "2024-01-01"]).astype("datetime64[us]"),
        "date_key": [20240201, 20240102, 20240220, 20240101],
        "shop": ["b", "a", None, "a"],
        "sold": [1.5, 2.5, 3.5, 4.5],
    }
)


def values_of(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the same rows as every type."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return {
        "pyarrow.Table": table,
        "pyarrow.RecordBatchReader": table.sort_by("day").to_reader(),
        "pandas.DataFrame": frame,
        "duckdb.DuckDBPyRelation": duckdb.from_arrow(table),
        "polars.DataFrame": pl.DataFrame(table),
        "polars.LazyFrame": pl.DataFrame(table).lazy(),
    }


def keeps(store: Store, value: Any, tags: dict[str, str] | None = None, **asset: Any) -> dg.AssetsDefinition:
    """Store a value as an asset of one's own; return the asset."""

    @dg.asset(key=["shop", "sales"], io_manager_key="store", **asset)
    def sales():  # type: ignore[no-untyped-def]
        return value

    dg.materialize([sales], resources={"store": store}, tags=tags)
    return sales


MONTHS = dg.MonthlyPartitionsDefinition("2024-01-01", end_date="2024-04-01")
RANGE = {START: "2024-01-01", END: "2024-02-01"}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("kind", DUCKDB_FIRST)
@pytest.mark.parametrize("time", ["day", "date_key"])
def test_an_output_of_any_type_is_stored_by_its_time(kind: str, name: str, time: str, tmp_path: Path) -> None:
    """By a timestamp or a number, in whatever order the rows come; written again a partition is replaced."""
    store = store_at(kind, tmp_path)
    placed = {"partitions_def": MONTHS, "metadata": {"partition_expr": time}}
    keeps(store, values_of(OWN)[name], RANGE, **placed)
    february = OWN[OWN["date_key"] > 20240131].assign(sold=9.0)
    sales = keeps(store, values_of(february)[name], {START: "2024-02-01", END: "2024-02-01"}, **placed)
    assert {key: rows for key, (rows, _) in store.intact_partitions("shop")["sales"].items()} == {
        "2024-01-01": 2,
        "2024-02-01": 2,
    }
    defs = dg.Definitions(assets=[sales], resources={"store": store})
    read = defs.load_asset_value(sales.key, python_type=pd.DataFrame).sort_values("date_key")
    assert read["sold"].to_list() == [4.5, 2.5, 9.0, 9.0] and read["day"].to_list() == sorted(OWN["day"])
    assert [text for text in read["shop"] if isinstance(text, str)] == ["a", "a", "b"]
    one = defs.load_asset_value(sales.key, python_type=pl.DataFrame, partition_key="2024-01-01")
    assert sorted(one["sold"].to_list()) == [2.5, 4.5]


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("kind", DUCKDB_FIRST)
def test_an_output_without_partitions_replaces_itself(kind: str, name: str, tmp_path: Path) -> None:
    store = store_at(kind, tmp_path)
    keeps(store, values_of(OWN)[name])
    sales = keeps(store, values_of(OWN.head(3))[name])
    defs = dg.Definitions(assets=[sales], resources={"store": store})
    assert sorted(defs.load_asset_value(sales.key, python_type=pd.DataFrame)["sold"]) == [1.5, 2.5, 3.5]


def types() -> Iterator[tuple[pa.DataType, Sequence[Any]]]:
    """Yield types that pandas, polars and DuckDB give, with values."""
    yield pa.large_string(), ["a", None]
    yield pa.string_view(), ["a", None]
    yield pa.dictionary(pa.int8(), pa.large_string()), ["a", None]
    yield from ((type_, [1, None]) for type_ in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.int8()))
    yield from ((pa.timestamp(unit), [datetime(2024, 1, 2, 3), None]) for unit in ("s", "ms", "us", "ns"))
    yield pa.date32(), [date(2024, 1, 2), None]
    yield pa.decimal128(38, 0), [1, None]
    yield pa.large_list(pa.large_string()), [["a", "b"], None]
    yield pa.bool_(), [True, None]


@pytest.mark.parametrize("kind", DUCKDB_FIRST)
def test_values_stay_what_they_are_whatever_type_they_come_in(kind: str, tmp_path: Path) -> None:
    columns = {f"c{number}": pa.array(values, type_) for number, (type_, values) in enumerate(types())}
    store = store_at(kind, tmp_path)
    sales = keeps(store, pa.table(columns))
    read = dg.Definitions(assets=[sales], resources={"store": store}).load_asset_value(sales.key)
    for name, column in columns.items():
        assert sorted(map(str, read[name].to_pylist())) == sorted(map(str, column.to_pylist())), column.type


def test_a_moment_in_a_zone_is_stored_in_utc(tmp_path: Path) -> None:
    store = store_at("duckdb", tmp_path)
    moments = pd.DataFrame({"at": pd.to_datetime(["2024-01-01 00:30"]).tz_localize("Europe/Berlin")})
    sales = keeps(store, moments)
    read = dg.Definitions(assets=[sales], resources={"store": store}).load_asset_value(sales.key)
    assert read["at"].to_pylist() == [datetime(2023, 12, 31, 23, 30)]


def test_named_levels_of_an_index_are_columns(tmp_path: Path) -> None:
    """A frame that was grouped loses nothing, and the numbers of rows that were filtered do not become a column."""
    store = store_at("duckdb", tmp_path)
    sales = keeps(store, OWN.groupby("shop").agg(sold=("sold", "sum")))
    defs = dg.Definitions(assets=[sales], resources={"store": store})
    assert defs.load_asset_value(sales.key).to_pydict() == {"shop": ["a", "b"], "sold": [7.0, 1.5]}
    keeps(store_at("duckdb", tmp_path / "second"), OWN[OWN["sold"] > 2])
    second = dg.Definitions(assets=[sales], resources={"store": store_at("duckdb", tmp_path / "second")})
    assert second.load_asset_value(sales.key).column_names == list(OWN)


def test_what_is_derived_does_not_say_that_it_is_the_original(tmp_path: Path) -> None:
    """Arrow tables carry the digest and the seed of their dataset; an asset of one's own is not made from its config."""
    store = store_at("duckdb", tmp_path)
    materialise(PLAN, store, KEYS[:1], only=["fct_payments"])
    table = dg.Definitions(assets=UPSTREAM, resources={"store": store, **RESOURCES}).load_asset_value(TABLE)
    labelled = table.replace_schema_metadata({"plotsim_digest": "one", "plotsim_seed": "42"})
    keeps(store, labelled)
    assert [digest for _, digest in store.intact_partitions("shop")["sales"].values()] == [""]
    log = store.run_log().to_pylist()
    assert [row["config_hash"] for row in log if row["dataset_id"] == "shop"] == [None]


@pytest.mark.parametrize(
    ("value", "asset", "message"),
    [
        (OWN, {"partitions_def": MONTHS}, "no column that places a row in time"),
        (OWN, {"partitions_def": dg.StaticPartitionsDefinition(["a", "b"])}, "no column that places a row in time"),
        ([1, 2], {}, "the asset gives builtins.list, which is no table"),
        (pd.DataFrame({"x": [None, None]}), {}, "no store has the type null of the column x"),
        (
            pa.Table.from_pandas(OWN, preserve_index=False).to_reader(),
            {"partitions_def": MONTHS, "metadata": {"partition_expr": "day"}},
            "do not come in the order of day",
        ),
        (
            OWN.assign(day=pd.NaT).astype({"day": "datetime64[us]"}),
            {"partitions_def": MONTHS, "metadata": {"partition_expr": "day"}},
            "4 rows have no day",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_is_written(
    value: Any, asset: dict[str, Any], message: str, tmp_path: Path
) -> None:
    store = store_at("duckdb", tmp_path)
    static = isinstance(asset.get("partitions_def"), dg.StaticPartitionsDefinition)
    tags = {START: "a", END: "b"} if static else RANGE if asset else None
    with pytest.raises(Exception, match=message):
        keeps(store, value, tags, **asset)
    assert store.intact_partitions("shop").get("sales", {}) == {}


def test_a_stream_from_the_store_goes_back_into_it(tmp_path: Path) -> None:
    """A reader of a DuckDB file is written to another table of the same file as it is read."""
    store = store_at("duckdb", tmp_path)
    materialise(PLAN, store, KEYS, only=["fct_payments"])

    @dg.asset(
        key=["shop", "copy"],
        ins={"rows": dg.AssetIn(key=TABLE)},
        io_manager_key="store",
        partitions_def=PARTITIONS,
        metadata={"partition_expr": "date_key"},
    )
    def copy(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
        return rows

    dg.materialize([*UPSTREAM, copy], selection=[copy], resources={"store": store, **RESOURCES}, tags=RANGE)
    assert store.intact_partitions("shop")["copy"].keys() == set(KEYS[:2])
    stored = store.intact_partitions("minimal")["fct_payments"]
    assert [store.intact_partitions("shop")["copy"][key][0] for key in KEYS[:2]] == [stored[key][0] for key in KEYS[:2]]
