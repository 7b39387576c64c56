"""Changes of a text: whatever a part becomes, the text then says so, and what stands beside it stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotsim_core.config.read import read_text
from plotsim_core.config.rewrite.edits import value_edits
from plotsim_core.config.rewrite.flow import flow_text
from plotsim_core.config.rewrite.joining import JoinedLists
from plotsim_core.config.rewrite.lines import applied
from plotsim_core.config.rewrite.syntax import source_tree
from plotsim_core.config.yaml_values import comments

BLOCK = """\
# first
a: 1   # one
b:
  - x  # of b
  # last of b

c: {d: 1, e: [2, 3]}
f: |
  # no comment
  text
g: "quoted"
h:
  i: 1
"""
IN_LIST = """\
list:
- a: 1 # one
  # before b
  b: two

  c: [1,
    2]
  d: 4

# after
rest: 1
"""
FLOW = "part: { a: 1, b: [x, y], c: { d: 1 }, d: 'e' } # behind\nrest: 1\n"
LINES = """\
part: {
  a: 1,
  b: 2,
  # before c
  c: 3 # behind
}
"""
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-99, 99),
    st.floats(-9, 9),
    st.text(max_size=6),
    st.sampled_from(["no", "1", "a: b", "#"]),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=4), SCALARS, max_size=2))


def node_of(text: str) -> tuple[Any, Any, tuple[str | int, ...]]:
    """Return the value of the part of a text that is changed, its node, and the steps to it."""
    raw = read_text(text, "text")
    steps: tuple[str | int, ...] = ("part",) if "part" in raw else ("list", 0) if "list" in raw else ()
    value = raw
    for step in steps:
        value = value[step]
    return value, source_tree(text).node(steps), steps


@pytest.mark.parametrize("text", [BLOCK, IN_LIST, FLOW, LINES], ids=["block", "in a list", "flow", "lines"])
@given(data=st.data())
def test_a_mapping_becomes_any_other(text: str, data: st.DataObject) -> None:
    old, node, steps = node_of(text)
    common_keys = data.draw(st.lists(st.sampled_from(sorted(old)), min_size=1, unique=True))
    new = {key: old[key] if data.draw(st.booleans()) else data.draw(VALUES) for key in sorted(common_keys)}
    for name in data.draw(st.lists(st.sampled_from(["p", "q r", "yes", "1"]), max_size=2, unique=True)):
        new[name] = data.draw(VALUES)
    edits = value_edits(text, node, old, new)
    if edits is None:  # a comment would be lost
        return
    changed = applied(text, edits)
    value: Any = read_text(changed, "changed")
    raw = read_text(text, "text")
    for step in steps:
        value = value[step]
    assert value == new
    assert not steps or raw.get("rest") == read_text(changed, "changed").get("rest")
    assert [comment for _, comment in comments(changed)] == [comment for _, comment in comments(text)]


@given(VALUES)
def test_a_value_on_a_line_reads_as_itself(value: object) -> None:
    assert read_text(f"a: {flow_text(value)}", "text") == {"a": value}
    assert read_text(f"{{ a: [{flow_text(value)}] }}", "text") == {"a": [value]}


def test_comments_are_told_from_what_looks_like_one() -> None:
    assert [comment for _, comment in comments(BLOCK)] == ["# first", "# one", "# of b", "# last of b"]
    assert [comment for _, comment in comments("a: 'x # y'  # z\n- b#c\n"[:16])] == ["# z"]


SECTIONS = """\
about: x
# what there is
first:   # of all
  - name: a   # one
    # inside
    columns: [1]
  - { name: b }
# what is measured
second:
  - name: c

    text: |
      two
       lines
third: # short
  - {name: d}   # last
rest: 1
"""
SECTIONS_JOINED = """\
about: x
# what there is
tables:   # of all
  - name: a   # one
    # inside
    columns: [1]
    more: 1
  - { name: b, more: 1 }
# what is measured
  - name: c

    text: |
      two
       lines
    more: 1
  # short
  - {name: d, more: 1}   # last
rest: 1
"""
APART = """\
first: [{ name: a }, { name: b }]
other: 1   # between
second:
- name: c   # one
  text: |
    two
     lines
# behind
rest: 1
"""
APART_JOINED = """\
tables:
- { name: a, more: 1 }
- { name: b, more: 1 }
- name: c   # one
  text: |
    two
     lines
  more: 1
other: 1   # between
# behind
rest: 1
"""


@pytest.mark.parametrize(("text", "joined"), [(SECTIONS, SECTIONS_JOINED), (APART, APART_JOINED)], ids=["in a row", "apart"])
def test_lists_come_under_one_key(text: str, joined: str) -> None:
    """Those that are apart are moved first, which changes no value."""
    raw = read_text(text, "text")
    keys = [key for key in ("first", "second", "third") if key in raw]
    items = [{**item, "more": 1} for key in keys for item in raw[key]]
    rest = {key: value for key, value in raw.items() if key not in keys}
    changed = text
    for _ in range(1 + (text == APART)):
        assert read_text(changed, "changed") == raw
        edits = value_edits(changed, source_tree(changed).root, raw, {"tables": JoinedLists(items, keys), **rest})
        assert edits is not None
        changed = applied(changed, edits)
    assert changed == joined
    assert read_text(joined, "joined") == {"tables": items, **rest}


@pytest.mark.parametrize("text", ["a: &x [1]\nb: [2]\n", "a: [1, # one\n 2]\nb: [2]\n", "{ a: [1], b: [2] }\n"])
def test_lists_that_cannot_move_whole_stay(text: str) -> None:
    raw = read_text(text, "text")
    assert value_edits(text, source_tree(text).root, raw, {"c": JoinedLists([1, 2], ["a", "b"])}) is None


@pytest.mark.parametrize("text", ["a: [1, 2]   # x\n", "a:\n- 1 # one\n- 2 # two\n# behind\nb: 1\n"])
def test_items_come_at_the_end_of_a_list(text: str) -> None:
    raw = read_text(text, "text")
    new = {**raw, "a": [1, 2, {"b": 3}, 4]}
    edits = value_edits(text, source_tree(text).root, raw, new)
    assert edits is not None
    changed = applied(text, edits)
    assert read_text(changed, "changed") == new
    assert [comment for _, comment in comments(changed)] == [comment for _, comment in comments(text)]
