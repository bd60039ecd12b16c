"""Makes report.html: one page that contains everything, including its pictures and plots."""

from __future__ import annotations

from html import escape

from grade.marking.results import COMPLETE, LATER, LabResult, Plot, PromiseResult, Results

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b;
       background: #fff; }
h1, h2, h3 { line-height: 1.2; } h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; } svg { max-width: 100%; height: auto; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem; vertical-align: top;
       border-bottom: 1px solid #ddd; } td.n, th.n { text-align: right; white-space: nowrap; }
.PASS { color: #0a6b2d; } .FAIL { color: #a4121c; } .PART { color: #7a5200; } .LATER { color: #555; }
.word { font-weight: 700; } dl { display: grid; grid-template-columns: 6rem 1fr; margin: .3rem 0 .6rem; }
dt { color: #555; } dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
pre { background: #f5f5f5; padding: .6rem; overflow-x: auto; font-size: .8rem; max-height: 30rem; }
.pair { display: flex; gap: 1rem; } figure { flex: 0 1 50%; margin: .5rem 0; } figcaption { color: #555; }
figure img { width: 100%; max-width: 27rem; border: 1px solid #999; image-rendering: pixelated; }
.notice { border-left: .3rem solid #a4121c; padding: .3rem .8rem; background: #fdf1f1; }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #e6e6e6; } pre { background: #222; }
  th, td { border-color: #444; } .PASS { color: #6fd58f; } .FAIL { color: #ff8a90; } .PART { color: #f2c069; }
  .LATER, dt, figcaption { color: #aaa; } .notice { background: #2a1718; } }
"""


def points(value: float) -> str:
    return f"{value:g}"


def _bars(labs: list[LabResult]) -> str:
    """Draws a bar for each lab: the share of the points that were earned. The table next to it has the same numbers."""
    height, width, left = 28, 420, 130
    rows = []
    for number, lab in enumerate(labs):
        y = number * height
        full = max(lab.possible, 1e-9)
        share = min(1.0, lab.score / full)
        rows.append(
            f'<text x="0" y="{y + 18}" font-size="14" fill="currentColor">{escape(lab.name)}</text>'
            f'<rect x="{left}" y="{y + 5}" width="{width}" height="16" fill="#bbb"/>'
            f'<rect x="{left}" y="{y + 5}" width="{width * share:.1f}" height="16" fill="#1a6fb5"/>'
        )
    label = "; ".join(f"{lab.name} {points(lab.score)} of {points(lab.possible)}" for lab in labs)
    size = f'width="{left + width}" height="{len(labs) * height}"'
    return f'<svg {size} role="img" aria-label="Points: {escape(label)}">{"".join(rows)}</svg>'


def _figure(data: str, caption: str) -> str:
    source = f"data:image/png;base64,{data}"
    return f'<figure><img src="{source}" alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'


def _plot(plot: Plot) -> str:
    """A plot with its numbers in a table, or only the table."""
    head = "".join(f"<th{' class=n' if i else ''}>{escape(cell)}</th>" for i, cell in enumerate(plot.head))
    rows = "".join(
        "<tr>" + "".join(f"<td{' class=n' if i else ''}>{escape(cell)}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in plot.rows
    )
    table = f"<table><tr>{head}</tr>{rows}</table>"
    if plot.svg:
        table = f"{plot.svg}<details><summary>the same numbers in a table</summary>{table}</details>"
    return f"<h3>{escape(plot.title)}</h3>{table}"


def _details(promise: PromiseResult) -> str:
    parts = []
    if said := promise.explained():
        parts.append("<dl>" + "".join(f"<dt>{key}</dt><dd>{escape(text)}</dd>" for key, text in said) + "</dl>")
    parts += [_plot(plot) for plot in promise.plots]
    for shown in promise.exhibits:
        pair = _figure(shown.seen, f"{shown.title}: what was on the screen")
        if shown.wanted:
            pair += _figure(shown.wanted, f"{shown.title}: what should have been there")
        parts.append(f'<div class="pair">{pair}</div>')
    if promise.lost_points and promise.log:
        parts.append(f"<details><summary>log</summary><pre>{escape(promise.log)}</pre></details>")
    return "".join(parts)


def _lab(lab: LabResult) -> str:
    rows = []
    for promise in lab.promises:
        earned = "after the due date" if promise.status == LATER else f"{points(promise.score)} / {points(promise.points)}"
        rows.append(
            f'<tr><td class="word {promise.status}">{promise.status}</td><td>{escape(promise.title)}{_details(promise)}</td>'
            f'<td class="n">{earned}</td><td class="n">{promise.seconds:.1f} s</td></tr>'
        )
    head = '<tr><th>result</th><th>promise</th><th class="n">points</th><th class="n">time</th></tr>'
    title = f"Lab {escape(lab.name)}: {escape(lab.title)}"
    earned = f"{points(lab.score)} of {points(lab.possible)} points"
    return f"<h2>{title}</h2><p>{earned}</p><table>{head}{''.join(rows)}</table>"


def as_html(results: Results) -> str:
    labs = results.labs
    parts = [f"<h1>Ringfence: {points(results.score)} of {points(results.possible)} points</h1>"]
    if results.state != COMPLETE:
        parts.append(f'<p class="notice">{escape(results.reason)}</p>')
    if results.notes:
        parts.append("<ul>" + "".join(f"<li>{escape(note)}</li>" for note in results.notes) + "</ul>")
    summary = "".join(
        f'<tr><td>{escape(lab.name)}</td><td class="n">{points(lab.score)}</td>'
        f'<td class="n">{points(lab.possible)}</td></tr>'
        for lab in labs
    )
    head = '<tr><th>lab</th><th class="n">points</th><th class="n">of</th></tr>'
    parts.append(f"{_bars(labs)}<table>{head}{summary}</table>")
    parts += [_lab(lab) for lab in labs]
    if results.build_log:
        parts.append(f"<h2>Build</h2><pre>{escape(results.build_log)}</pre>")
    facts = {"seed": results.seed, "grader": results.grader, "started": results.started, **results.tools}
    rows = "".join(f"<tr><td>{escape(str(k))}</td><td>{escape(str(v))}</td></tr>" for k, v in facts.items())
    parts.append(f"<h2>How this was graded</h2><table>{rows}</table>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Ringfence: grade</title><style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )
