"""Lists of a `Lexicon`'s results, which notebooks show as tables and which can be converted to data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex, TypeVar, overload

import pyarrow as pa

from lexkit.errors import LexkitError
from lexkit.store.html import html_table
from lexkit.store.results import Evidence, Neighbor

if TYPE_CHECKING:
    import pandas
    import polars
    from typing_extensions import Self

_Row = TypeVar("_Row", bound=tuple[Any, ...])
_MOST_LINES = 10
_MOST_ROWS = 50
_TEXTS = pa.list_(pa.string())


class ResultList(list[_Row]):
    """A list of rows with the same fields. It equals an ordinary list; slices, copies and sums have the same type.

    A prompt shows the first ten rows, and a notebook a table of the first fifty.
    """

    _schema: ClassVar[pa.Schema]

    def to_arrow(self) -> pa.Table:
        """Return a table with a column for each field; fields with several values are lists."""
        columns = zip(*self, strict=True) if self else [()] * len(self._schema)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        return pa.table(arrays, self._schema)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a data frame of pandas with a column for each field.

        Raises:
            LexkitError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401  # pyarrow needs it for the next line
        except ImportError as error:
            raise LexkitError("to_pandas() needs pandas; install it with pip install pandas") from error
        return self.to_arrow().to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """Return a data frame of Polars with a column for each field.

        Raises:
            LexkitError: Polars is not installed.
        """
        try:
            import polars
        except ImportError as error:
            raise LexkitError("to_polars() needs Polars; install it with pip install polars") from error
        frame = polars.from_arrow(self.to_arrow())
        assert isinstance(frame, polars.DataFrame)  # only a single column would be a Series
        return frame

    @overload
    def __getitem__(self, place: SupportsIndex, /) -> _Row: ...

    @overload
    def __getitem__(self, place: slice, /) -> Self: ...

    def __getitem__(self, place: SupportsIndex | slice, /) -> _Row | Self:
        if isinstance(place, slice):
            return type(self)(super().__getitem__(place))
        return super().__getitem__(place)

    def __add__(self, other: list[Any], /) -> Any:  # noqa: ANN401  # a plain list may hold anything
        return type(self)(super().__add__(other)) if isinstance(other, type(self)) else super().__add__(other)

    def copy(self) -> Self:
        """Return a list with the same rows."""
        return self[:]

    def __repr__(self) -> str:
        lines = list(map(repr, self[:_MOST_LINES]))
        if len(self) > _MOST_LINES:
            lines.append(f"... {len(self) - _MOST_LINES:,} more")
        body = ",\n ".join(lines)
        return f"[{body}]"

    def _repr_html_(self) -> str:
        caption = f"{_MOST_ROWS} of {len(self):,}" if len(self) > _MOST_ROWS else ""
        return html_table(self._schema.names, self[:_MOST_ROWS], caption)


class Neighbors(ResultList[Neighbor]):
    """A list of `Neighbor`, the best first: what `Lexicon.synonyms` and `Lexicon.antonyms` return."""

    _schema = pa.schema(
        [
            ("word", pa.string()),
            ("direct", pa.bool_()),
            ("n_sources", pa.int32()),
            ("sources", _TEXTS),
            ("contested", pa.bool_()),
            ("pos", _TEXTS),
            ("same_pos", pa.bool_()),
            ("usage", _TEXTS),
            ("confidence", pa.float64()),
            ("weight", pa.float64()),
        ]
    )

    def words(self) -> list[str]:
        """Return the words alone."""
        return [neighbor.word for neighbor in self]


class Explanation(ResultList[Evidence]):
    """A list of `Evidence`, what is stated first: what `Lexicon.explain` returns."""

    _schema = pa.schema(
        [
            ("kind", pa.string()),
            ("source", pa.string()),
            ("pos", pa.string()),
            ("sense", pa.string()),
            ("scope", pa.string()),
            ("usage", _TEXTS),
            ("rule", pa.string()),
            ("same_pos", pa.bool_()),
            ("contradicted", pa.bool_()),
            ("derived_from", _TEXTS),
        ]
    )
