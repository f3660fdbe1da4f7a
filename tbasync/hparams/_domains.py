"""What a hyperparameter may be, and what an experiment measures."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, TypeAlias

from ..proto.hparams import DatasetType, DataType, MetricInfo, MetricName

Value: TypeAlias = "bool | int | float | str"

# The plugin knows no integers: they are float64.
_TYPES = {
    int: DataType.DATA_TYPE_FLOAT64,
    float: DataType.DATA_TYPE_FLOAT64,
    bool: DataType.DATA_TYPE_BOOL,
    str: DataType.DATA_TYPE_STRING,
}


class Domain(ABC):
    """The values that a hyperparameter may take, all of one type."""

    @property
    @abstractmethod
    def dtype(self) -> type:
        """The type of all of them, one of float, int, str and bool."""

    @abstractmethod
    def sample_uniform(self, rng: Any = random) -> Any:
        """One of them at random.

        Args:
            rng: a `random.Random`, or the module.

        Raises:
            IndexError: there are none.
        """

    @abstractmethod
    def update_hparam_info(self, hparam_info: Any) -> None:
        """Sets type and domain in an `HParamInfo` message, of any protobuf package."""


class _Interval(Domain):
    """All values from a lowest to a highest one, both included."""

    _dtype: type

    def __init__(self, min_value: Any = None, max_value: Any = None) -> None:
        """Takes both ends.

        Raises:
            TypeError: one of them is not of the domain's type.
            ValueError: the lowest is above the highest.
        """
        for name, value in (("min_value", min_value), ("max_value", max_value)):
            if not isinstance(value, self._dtype):
                raise TypeError(f"{name} must be of type {self._dtype.__name__}, got {value!r}")
        if min_value > max_value:
            raise ValueError(f"min_value must not be above max_value: {min_value!r} > {max_value!r}")
        self._min_value = min_value
        self._max_value = max_value

    def __str__(self) -> str:
        return f"[{self._min_value}, {self._max_value}]"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._min_value!r}, {self._max_value!r})"

    @property
    def dtype(self) -> type:
        return self._dtype

    def update_hparam_info(self, hparam_info: Any) -> None:
        hparam_info.type = _TYPES[self._dtype]
        hparam_info.domain_interval.min_value = self._min_value
        hparam_info.domain_interval.max_value = self._max_value


class IntInterval(_Interval):
    """All integers from `min_value` to `max_value`."""

    _dtype = int

    @property
    def min_value(self) -> int:
        """The lowest."""
        return int(self._min_value)

    @property
    def max_value(self) -> int:
        """The highest."""
        return int(self._max_value)

    def sample_uniform(self, rng: Any = random) -> int:
        return int(rng.randint(self._min_value, self._max_value))


class RealInterval(_Interval):
    """All real numbers from `min_value` to `max_value`, which must be of type float."""

    _dtype = float

    @property
    def min_value(self) -> float:
        """The lowest."""
        return float(self._min_value)

    @property
    def max_value(self) -> float:
        """The highest."""
        return float(self._max_value)

    def sample_uniform(self, rng: Any = random) -> float:
        return float(rng.uniform(self._min_value, self._max_value))


class Discrete(Domain):
    """Some values."""

    def __init__(self, values: Iterable[Value], dtype: type | None = None) -> None:
        """Takes the values, which are sorted.

        Args:
            values: all of one type.
            dtype: `int`, `float`, `bool` or `str`; None is the type of the first value.

        Raises:
            TypeError: a value is not of that type.
            ValueError: the type is another one, or there are neither values nor a type.
        """
        members: list[Any] = list(values)
        if dtype is None:
            if not members:
                raise ValueError("dtype must be given for a domain without values")
            dtype = type(members[0])
        if dtype not in _TYPES:
            raise ValueError(f"dtype must be int, float, bool or str, got {dtype!r}")
        for value in members:
            if not isinstance(value, dtype):
                raise TypeError(f"values must all be of type {dtype.__name__}, got {value!r}")
        self._dtype = dtype
        self._values = sorted(members)

    def __str__(self) -> str:
        return f"{{{', '.join(map(repr, self._values))}}}"

    def __repr__(self) -> str:
        return f"Discrete({self._values!r})"

    @property
    def dtype(self) -> type:
        return self._dtype

    @property
    def values(self) -> list[Any]:
        """The values in order."""
        return list(self._values)

    def sample_uniform(self, rng: Any = random) -> Any:
        return rng.choice(self._values)

    def update_hparam_info(self, hparam_info: Any) -> None:
        hparam_info.type = _TYPES[self._dtype]
        hparam_info.ClearField("domain_discrete")
        hparam_info.domain_discrete.extend(self._values)


class HParam:
    """A hyperparameter: a name, and the values that it may take."""

    def __init__(
        self,
        name: str,
        domain: Domain | None = None,
        display_name: str | None = None,
        description: str | None = None,
    ) -> None:
        """Describes a hyperparameter.

        Args:
            name: unique within an experiment.
            domain: None for any value.
            display_name: what the dashboard calls it.
            description: Markdown.

        Raises:
            ValueError: `domain` is no domain.
        """
        if domain is not None and not isinstance(domain, Domain):
            raise ValueError(
                f"domain must be an IntInterval, a RealInterval, a Discrete or None, got {domain!r}"
            )
        self._name = name
        self._domain = domain
        self._display_name = display_name
        self._description = description

    def __str__(self) -> str:
        return f"<HParam {self._name!r}: {self._domain}>"

    def __repr__(self) -> str:
        return (
            f"HParam(name={self._name!r}, domain={self._domain!r}, display_name={self._display_name!r}, "
            f"description={self._description!r})"
        )

    @property
    def name(self) -> str:
        """As given, and so are the others."""
        return self._name

    @property
    def domain(self) -> Domain | None:
        """The values that it may take."""
        return self._domain

    @property
    def display_name(self) -> str | None:
        """What the dashboard calls it."""
        return self._display_name

    @property
    def description(self) -> str | None:
        """Markdown."""
        return self._description


class Metric:
    """What an experiment is judged by: a series of scalars."""

    TRAINING = DatasetType.DATASET_TRAINING
    VALIDATION = DatasetType.DATASET_VALIDATION

    def __init__(
        self,
        tag: str,
        group: str | None = None,
        display_name: str | None = None,
        description: str | None = None,
        dataset_type: int | None = None,
    ) -> None:
        """Describes a metric.

        Args:
            tag: the series' name.
            group: the sub-directory of the trial's directory whose series is meant; None is the trial's own.
            display_name: what the dashboard calls it.
            description: Markdown.
            dataset_type: `Metric.TRAINING`, `Metric.VALIDATION` or None.

        Raises:
            ValueError: `dataset_type` is another one.
        """
        if dataset_type not in (None, Metric.TRAINING, Metric.VALIDATION):
            raise ValueError(
                f"dataset_type must be Metric.TRAINING, .VALIDATION or None, got {dataset_type!r}"
            )
        self._tag = tag
        self._group = group
        self._display_name = display_name
        self._description = description
        self._dataset_type = dataset_type

    def as_proto(self) -> MetricInfo:
        """The metric as a `MetricInfo` message."""
        return MetricInfo(
            name=MetricName(group=self._group, tag=self._tag),
            display_name=self._display_name,
            description=self._description,
            dataset_type=self._dataset_type,
        )
