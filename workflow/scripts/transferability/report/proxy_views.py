"""How a report shows tables and figures of proxies, if they were requested."""

from pathlib import Path

from transferability.report.table_views import Column, TableView
from transferability.results.accuracies import read_table
from transferability.results.proxies import ALL
from transferability.study.names import SYMBOLS
from transferability.study.proxies import DEPTH, FLATTENED, INDEPENDENT, PROXIES, SIMILARITY
from transferability.words import drop_points, percent


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


PROXY_VIEWS: dict[str, TableView] = {
    "proxy_agreement": TableView(
        "Proxies and measured drops",
        {
            "proxy": Column("proxy", lambda proxy: PROXIES.get(proxy, proxy)),
            "features": Column("features"),
            "treatment": Column("networks", lambda treatment: SYMBOLS[treatment]),
            "scope": Column("over"),
            "networks": Column("count"),
            "rank_correlation": Column("rank correlation", _number),
            "low": Column("from", _number),
            "high": Column("to", _number),
            "mean_error": Column("mean error, points", drop_points),
            "mean_absolute_error": Column("mean absolute error, points", drop_points),
        },
    ),
    "proxies": TableView(
        "Proxies",
        {
            "split": Column("split"),
            "seed": Column("seed"),
            "network": Column("network"),
            "n": Column("n"),
            "layer": Column("layer"),
            "features": Column("features"),
            "dimension": Column("dimension"),
            "probe_top1": Column("linear probe, top-1, %", percent),
            "center_top1": Column("nearest class center, top-1, %", percent),
            "dead_units": Column("dead, %", percent),
            "effective_dimension": Column("effective dimension", lambda value: f"{value:.1f}"),
            SIMILARITY: Column("CKA with the target's base", _number),
            INDEPENDENT: Column("CKA of unrelated features, 1 in 20 above", lambda value: f"{value:.3f}"),
        },
    ),
}


def proxies_shown(table: Path | None) -> str:
    """The alternative text of the figures of proxies: how well the linear probe ranks measured drops, if known."""
    lines = "Lines of the accuracies of linear probes and nearest class centers by depth."
    if table is None or not table.exists():
        return lines
    agreement = read_table(table)
    rows = agreement[(agreement["scope"] == ALL) & agreement["features"].fillna("").isin((FLATTENED, ""))]
    rows = rows[rows["proxy"].isin(("probe", DEPTH))]
    told = "; ".join(
        f"{PROXIES.get(proxy, DEPTH)} of {SYMBOLS[treatment]} {_number(correlation)}"
        for proxy, treatment, correlation in rows[["proxy", "treatment", "rank_correlation"]].to_numpy()
    )
    return f"{lines} Rank correlations with measured drops: {told}." if told else lines
