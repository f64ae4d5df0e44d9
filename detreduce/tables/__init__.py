"""Reduce tables: choose rows of a CSV or Parquet file, and prepare columns for the reducers."""

from __future__ import annotations

from detreduce.tables.columns import prepare_columns
from detreduce.tables.reduce import list_table_methods, reduce_table
from detreduce.tables.result import TableReduction

__all__ = ["TableReduction", "list_table_methods", "prepare_columns", "reduce_table"]
