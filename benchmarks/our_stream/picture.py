"""The report as a picture: from act to slate, and acts a second, ours beside the old design's and the limit."""

from pathlib import Path
from typing import Any

import altair

OURS, OLD, LIMIT = "#a63d2f", "#8d8a84", "#d8d2c6"
COLOURS = altair.Scale(domain=["ours", "old design", "limit"], range=[OURS, OLD, LIMIT])
PERCENTS = (50, 90, 99)

Report = dict[str, float | int | bool | None]


def latency_rows(report: Report) -> list[dict[str, Any]]:
    """A row for each percentile that was measured."""
    found = []
    for design, prefix in (("ours", ""), ("old design", "old_")):
        for rate in (100, 500):
            for percent in PERCENTS:
                ms = report.get(f"{prefix}p{percent}_ms_at_{rate}")
                if ms is not None:
                    found.append({"design": design, "rate": title(report, rate), "percent": f"p{percent}", "ms": ms})
    return found


def title(report: Report, rate: int) -> str:
    falls_behind = report.get(f"old_falls_behind_at_{rate}")
    return f"{rate} acts/s" + (": the old design falls behind" if falls_behind else "")


def throughput_rows(report: Report) -> list[dict[str, Any]]:
    """A row for each rate that was measured; the limit is that of one process."""
    bare_us = sum(float(report[f"bare_{part}_us"] or 0) for part in ("decode", "score", "store"))
    found = [
        ("old design", "old design", report.get("old_acts_per_s")),
        ("one process", "ours", report["acts_per_s"]),
        ("two processes", "ours", report["acts_per_s_two"]),
        ("its bare parts", "limit", round(1e6 / bare_us)),
    ]
    return [{"what": what, "design": design, "rate": rate} for what, design, rate in found if rate is not None]


def draw(report: Report, path: Path) -> None:
    """`path` ends in .svg or .png."""
    legend = altair.Legend(title=None, orient="bottom", symbolOpacity=1)
    colour = altair.Color("design:N", scale=COLOURS, legend=legend)
    latencies = latency_rows(report)
    # Room for the labels, so that both halves are as high.
    most_ms = 1.1 * max(row["ms"] for row in latencies)
    latency = altair.Chart(altair.Data(values=latencies)).encode(
        x=altair.X("percent:N", title=None, axis=altair.Axis(labelAngle=0)),
        xOffset=altair.XOffset("design:N", sort=["ours", "old design"]),
        y=altair.Y(
            "ms:Q",
            title="Milliseconds from act to slate",
            axis=altair.Axis(grid=False),
            scale=altair.Scale(domain=[0, most_ms], nice=False),
        ),
    )
    bars = latency.mark_bar().encode(color=colour)
    labels = latency.mark_text(dy=-6, fontSize=11).encode(text=altair.Text("ms:Q", format=".0f"))
    by_rate = altair.layer(bars, labels).properties(width=190, height=240).facet(altair.Facet("rate:N", title=None))
    throughput = altair.Chart(altair.Data(values=throughput_rows(report))).encode(
        x=altair.X("rate:Q", title="Acts a second", axis=altair.Axis(grid=False, tickCount=4, format=",d")),
        y=altair.Y("what:N", title=None, sort=None),
    )
    rates = altair.layer(
        throughput.mark_bar().encode(color=colour),
        throughput.mark_text(align="left", dx=4, fontSize=11).encode(text=altair.Text("rate:Q", format=",.0f")),
    ).properties(width=300, height=240)
    chart = altair.hconcat(by_rate, rates, spacing=40)
    chart.configure_view(stroke=None).configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal").save(
        path, scale_factor=2
    )
