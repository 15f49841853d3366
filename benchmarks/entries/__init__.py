"""The benchmarks by name; each is the module of that name here, with ``run(bench) -> figures``."""

ENTRIES = {
    "bike": "held-out error of AdditiveRegressor on bike sharing, order 1 to 3, and fit seconds beside peers",
    "fidelity": "held-out R² of an Explainer to gradient boosting of bike sharing",
    "cover": "agreement of an Explainer's class with that of a LightGBM model of tree cover, seven classes",
    "truth": "SHAP R² on games whose Shapley values are known exactly",
    "speed": "rows a second and latency of one row, beside TreeExplainer and the black box",
    "first_hour": "import, fit and first Shapley values in a fresh process, cold and warm cache",
    "report": "the live page in a browser: size, first paint, a slider's step",
    "serve": "explanations over HTTP: requests and rows a second, the slowest percent",
    "marginal": "marginal game of boosted trees against exact interventional values: tables, refined, residual learnt",
    "budget": "error by coalitions a row: refined values beside KernelExplainer, PermutationExplainer and shapiq",
    "drift": "how often check() alarms about the unchanged model and about retrained ones, on 500 rows",
    "small": "small tables: seconds, and fidelity beside main effects and ridge regression",
    "sizes": "unknowns, bytes and seconds a product, by number of features and presence order",
    "wide": "100 000 rows of 100 features: seconds and peak memory of a fresh process",
    "trust": "the trust report against functions, games and regions that are known: verdicts, risks, coverage",
    "coverage": "coverage of 90 % intervals over redraws of the rows: Shapley values, pairs, predictions",
    "adult": "AdditiveClassifier on the adult census, orders 1 and 2, beside boosting and an EBM",
    "trees": "AdditiveClassifier on tree cover, seven classes, 150 000 rows, orders 1 and 2, beside boosting",
    "labels": "AdditiveClassifier on three bundled tables by repeated cross-validation, beside boosting and an EBM",
}
