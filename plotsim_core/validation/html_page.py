"""The report as one HTML file, with its style and pictures inside, and no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from plotsim_core.plan.correlations import HEADINGS, HEADINGS_NOTE
from plotsim_core.validation.charts import Picture
from plotsim_core.validation.check import Check, Finding
from plotsim_core.validation.report import BROKEN_CAP, Report
from plotsim_core.validation.store import StoredData
from plotsim_core.version import VERSION

_MAX_SHOWN = 12
"""The number of findings of a check that are shown; the others are folded."""

_STYLE = """
:root{color-scheme:light dark;--ink:#1f2328;--soft:#656d76;--line:#d8dee4;--back:#fff;--card:#f6f8fa;
--ok:#1a7f37;--warn:#9a6700;--fail:#cf222e}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#30363d;--back:#0d1117;--card:#161b22;
--ok:#3fb950;--warn:#d29922;--fail:#f85149}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:1280px;margin:0 auto;padding:24px}
h1{margin:0 0 4px;font-size:26px}h2{margin:36px 0 8px;font-size:20px;border-bottom:1px solid var(--line)}
h3{margin:22px 0 2px;font-size:16px}p{margin:4px 0 10px;max-width:80ch}.soft{color:var(--soft)}
.score{font-size:52px;line-height:1;font-weight:700}
.head{display:flex;gap:20px;align-items:center;background:var(--card);border:1px solid var(--line);border-radius:8px}
.head{padding:16px;margin:16px 0}.head p{margin:0}.ok{color:var(--ok)}.warn{color:var(--warn)}.fail{color:var(--fail)}
details{margin:4px 0}summary{cursor:pointer;padding:3px 0}b.mark{display:inline-block;min-width:2.6em}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:4px 0 10px;font-size:13px}
td,th{text-align:left;padding:3px 12px 3px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600;color:var(--soft)}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.grid{display:flex;flex-wrap:wrap;gap:12px}svg{background:none!important;color:inherit!important;max-width:100%;height:auto}
"""


def page(store: StoredData, report: Report, drawn: Sequence[Picture]) -> str:
    """Return the report on a store, with its pictures, as one self-contained HTML text."""
    plan = report.plan
    units = [f"scale {plan.dataset.scale:g}, {kind.units:,} {kind.unit} units" for kind in plan.kinds[:1]]
    origin = ", ".join([*filter(None, [report.span]), f"seed {plan.seed}", *units, f"config {plan.digest}"])
    parts = [
        f"<h1>{escape(plan.name)}</h1>",
        f"<p>{escape(plan.dataset.about)}</p>",
        f'<p class="soft">{escape(origin)}</p>',
        _score(report),
        *_notes(report),
        *_checks(report),
        *_correlations(report),
        *(["<h2>Pictures</h2>"] if drawn else []),
        *(_picture(picture) for picture in drawn),
        "<h2>Tables</h2>",
        _tables(store),
        f'<p class="soft">Judged by plotsim {escape(VERSION)}.</p>',
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(plan.name)}: validation report</title><style>{_STYLE}</style></head>\n"
        f"<body>{chr(10).join(parts)}</body></html>\n"
    )


def _score(report: Report) -> str:
    failures = [(name, finding) for name, finding in report.findings if not finding.passed]
    broken_count = sum(report.checks[name].blocking for name, _ in failures)
    if report.failed:
        colour, verdict = "fail", f"The data is broken: {broken_count} of {len(report.findings)} findings say so."
    elif report.warned:
        colour, verdict = (
            "warn",
            f"Whole, but {len(failures)} of {len(report.findings)} findings are not as the config declares.",
        )
    else:
        colour, verdict = "ok", f"All {len(report.findings)} findings are as the config declares."
    unjudged_count = sum(not finding.judged for _, finding in report.findings)
    if unjudged_count and not failures:
        verdict = f"All {len(report.findings) - unjudged_count} findings that could be judged are as the config declares."
    explanation = (
        f"{report.judged} % of what the config declares was judged. The score is the share of it that passed, averaged over "
        f"the categories in which something was judged; broken data has at most {BROKEN_CAP}."
    )
    return (
        f'<div class="head"><div class="score {colour}">{report.score}</div>'
        f'<div><p><b class="{colour}">{verdict}</b></p><p class="soft">{explanation}</p></div></div>'
    )


def _notes(report: Report) -> Iterable[str]:
    notes = report.record()["notes"]
    if notes:
        yield "<h2>Notes on the config</h2>"
        yield f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>"


def _checks(report: Report) -> Iterable[str]:
    """Yield the checks by category, failed ones first."""
    findings = {name: report.findings_of(name) for name in report.checks}
    categories = list(dict.fromkeys(check.category for check in report.checks.values()))
    for category in categories:
        names = [name for name, check in report.checks.items() if check.category == category]
        yield f"<h2>{escape(category.capitalize())}</h2>"
        for name in sorted(
            names, key=lambda name: (_mark(report.checks[name], findings[name]) not in ("fail", "warn"), not findings[name])
        ):
            yield _check(name, report.checks[name], findings[name])


def _correlations(report: Report) -> Iterable[str]:
    """Yield the table of correlations of connected metrics, given the trajectory and in the rows of the tables."""
    if not report.correlations:
        return
    table_rows = ((pair.subject(population), pair.declared, *pair.texts()) for population, pair in report.correlations)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table_rows)
    headings = "".join(f"<th>{escape(name)}</th>" for name in ("connection", *HEADINGS))
    yield '<h2 id="connections">Connections</h2>'
    yield f"<p>{escape(HEADINGS_NOTE)}</p>"
    yield f'<div class="wide"><table><tr>{headings}</tr>{rows}</table></div>'


def _mark(check: Check, findings: list[Finding]) -> str:
    if all(finding.passed for finding in findings):
        return "ok" if any(finding.judged for finding in findings) else "soft"
    return "fail" if check.blocking else "warn"


def _check(name: str, check: Check, findings: list[Finding]) -> str:
    mark = _mark(check, findings)
    passed = sum(finding.passed for finding in findings)
    unjudged_count = sum(not finding.judged for finding in findings)
    summary = f"{passed - unjudged_count} of {len(findings) - unjudged_count} passed" if findings else "nothing to check"
    summary += f", {unjudged_count} not judged" if unjudged_count else ""
    word = {"ok": "ok", "soft": "–"}.get(mark, mark)
    heading = (
        f'<summary><b class="mark {mark}">{word}</b>{escape(name.replace("_", " "))}: '
        f'<span class="soft">{escape(check.description)} {summary}.</span></summary>'
    )
    ordered = sorted(findings, key=lambda finding: (finding.passed, not finding.judged))
    shown_count = max(_MAX_SHOWN, len(findings) - passed if len(findings) - passed <= 4 * _MAX_SHOWN else 0)
    body = _findings(ordered[:shown_count])
    if ordered[shown_count:]:
        body += f"<details><summary>{len(ordered) - shown_count} more</summary>{_findings(ordered[shown_count:])}</details>"
    return f'<details id="{escape(name)}"{" open" if passed < len(findings) else ""}>{heading}{body}</details>'


def _findings(findings: list[Finding]) -> str:
    if not findings:
        return ""
    numbers = list(dict.fromkeys(name for finding in findings for name in finding.numbers))
    headings = "".join(f'<th class="n">{escape(name.replace("_", " "))}</th>' for name in numbers)
    rows = [
        f"<tr>{_tick(finding)}"
        f"<td>{escape(finding.subject)}</td><td>{escape(finding.message)}</td>"
        f"{''.join(_number(finding.numbers.get(name)) for name in numbers)}</tr>"
        for finding in findings
    ]
    return f'<div class="wide"><table><tr><th></th><th>what</th><th>found</th>{headings}</tr>{"".join(rows)}</table></div>'


def _tick(finding: Finding) -> str:
    if not finding.judged:
        return '<td class="soft">–</td>'
    return f'<td class="{"ok" if finding.passed else "fail"}">{"✓" if finding.passed else "✗"}</td>'


def _number(value: float | None) -> str:
    if value is None:
        return '<td class="n"></td>'
    is_integer = value == int(value) if abs(value) < 1e15 else False
    return f'<td class="n">{f"{int(value):,}" if is_integer else f"{value:.4g}"}</td>'


def _picture(picture: Picture) -> str:
    drawings = f'<p>{escape(picture.description)}</p><div class="grid">{"".join(picture.drawings)}</div>'
    title = escape(picture.title)
    if picture.is_folded:
        return f'<details id="{escape(picture.name)}"><summary><b>{title}</b></summary>{drawings}</details>'
    return f'<h3 id="{escape(picture.name)}">{title}</h3>{drawings}'


def _tables(store: StoredData) -> str:
    rows = []
    for table in store.tables:
        (count,) = store.arrow(f"SELECT count(*) AS n FROM {store.relation(table)}")["n"].to_pylist()
        rows.append(
            f'<tr><td>{escape(table.name)}</td><td>{escape(table.kind)}</td><td class="n">{count:,}</td>'
            f"<td>{escape(table.description)}</td></tr>"
        )
    heading = '<tr><th>table</th><th>kind</th><th class="n">rows</th><th>what it holds</th></tr>'
    return f'<div class="wide"><table>{heading}{"".join(rows)}</table></div>'


__all__ = ["page"]
