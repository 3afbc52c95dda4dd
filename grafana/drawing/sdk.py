"""The dashboard SDK, imported in one place: builders by name, their models as `forms` and `model`."""

import warnings

with warnings.catch_warnings():
    # The SDK deprecates the classic schema in favour of v2, which Grafana does not load from files.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import (
        bargauge,
        common,
        dashboard,
        heatmap,
        prometheus,
        stat,
        statetimeline,
        table,
        timeseries,
    )
    from grafana_foundation_sdk.models import common as forms
    from grafana_foundation_sdk.models import dashboard as model
    from grafana_foundation_sdk.models import heatmap as heatmaps
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

__all__ = [
    "PromQueryFormat",
    "bargauge",
    "common",
    "dashboard",
    "forms",
    "heatmap",
    "heatmaps",
    "model",
    "prometheus",
    "stat",
    "statetimeline",
    "table",
    "timeseries",
]
