"""What a target's answers about non-members are regressed to, example by example."""

LAWS = {"normal": "normal_regression", "quantile": "quantile_regression"}  # names of their arrays
LEVELS = (0.001, 0.01, 0.1)  # shares of non-members above the quantiles that are regressed
