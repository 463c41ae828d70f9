"""`evaluate.Metric` that keeps its rows in memory, so that it touches neither the network nor the disk."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import evaluate
from datasets import Features, Sequence, Value


class InMemoryMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate is untyped
    """Base of this package's `evaluate.Metric` classes; described to `evaluate` by their own docstrings."""

    reference_url: ClassVar[str]
    data_format: ClassVar[str] = "numpy"
    """How `_compute` gets the rows (a format of `datasets`)."""

    def __init__(
        self, config_name: str | None = None, *, keep_in_memory: bool = True, **options: Any
    ) -> None:
        """As `evaluate.Metric`, but in memory; turn that off to use evaluate's own `num_process` > 1."""
        super().__init__(config_name, keep_in_memory=keep_in_memory, **options)

    def of_arrays(self, **arguments: Any) -> dict[str, Any]:
        """What `compute` gives for whole arrays, int64 or float64 as its tables hold them.

        Without such a table where none is asked for: `evaluate` encodes it value by value, 8 ms for a thousand rows.
        """
        if self.data_format == "numpy":
            return self._compute(**arguments)  # type: ignore[no-any-return]
        return self.compute(**arguments)  # type: ignore[no-any-return]

    def _build_data_dir(self) -> str:
        # evaluate makes a folder under HF_HOME for every metric, even where nothing will be written there.
        return str(self._data_dir_root if self.keep_in_memory else super()._build_data_dir())

    def _features(self) -> Features | list[Features]:
        several = Sequence(Value("int64"))
        return [
            Features({"predictions": Value("int64"), "references": Value("int64")}),
            Features({"predictions": several, "references": several}),
        ]

    def _info(self) -> evaluate.MetricInfo:
        info = evaluate.MetricInfo(
            description=inspect.getdoc(type(self)) or "",
            citation="Pedregosa et al., Scikit-learn: Machine Learning in Python, JMLR 12, 2825-2830, 2011",
            inputs_description=inspect.getdoc(type(self)._compute) or "",
            features=self._features(),
            reference_urls=[self.reference_url],
        )
        # Not given above: there evaluate refuses a format beside features that are lists.
        info.format = self.data_format
        return info
