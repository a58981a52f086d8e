"""The risk-adjusted CUSUM and the VLAD: a unit's outcomes, patient by patient, against their risks.

The CUSUM adds up, for each patient, the log-likelihood ratio between "the odds of the event are R
times what was predicted" and "they are as predicted", and never falls below 0:

    C_t = max(0, C_(t-1) + w_t),    a signal when C_t > h.

After a signal the chart starts again at 0 with the next patient; the value that signalled stays on
the chart. With R above 1 it looks for worse, with R below 1 for better outcomes, both upwards.

The VLAD (variable life-adjusted display) adds up p - y: events fewer than expected. It is easily
understood and has no limits of its own: read it beside the chart.

When they mislead: both believe the predicted risks. Where a model says too little of everybody, every
unit's chart rises. A late or missing report is not "no event": put in only patients whose outcome is
known, in an order that does not depend on it.

References
----------
Steiner SH, Cook RJ, Farewell VT, Treasure T. Monitoring surgical performance using risk-adjusted
cumulative sum charts. Biostatistics 2000;1:441-452.
R package vlad (wittenberg/vlad): weights as in its src/racusum_sim.cpp, with R0 = 1.
"""

from monitoring.cusum.charts import Chart, chart, vlad, weights
from monitoring.cusum.design import Design, load_design
from monitoring.cusum.simulation import RunLength, limit, run_length

__all__ = [
    "Chart",
    "Design",
    "RunLength",
    "chart",
    "limit",
    "load_design",
    "run_length",
    "vlad",
    "weights",
]
