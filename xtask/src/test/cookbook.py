"""Runs the queries of docs/csv.md in DuckDB and compares them with the results beside them.

With `--update`, writes the results to the page. The last line has the counts, in the format of
libtest.
"""

import pathlib
import re
import sys

import duckdb

page = pathlib.Path("csv.md")
text = page.read_text(encoding="utf-8")
connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
passed = failed = 0


def check(name, wanted, found):
    global passed, failed
    if wanted == found:
        passed += 1
    else:
        failed += 1
        print(f"{name}\nwanted:\n{wanted}\nfound:\n{found}\n")


def table(result):
    """The result as text, in columns."""
    rows = [[name for name, *_ in result.description]]
    rows += [[show(value) for value in row] for row in result.fetchall()]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows)
    return "".join(line.rstrip() + "\n" for line in lines)


def show(value):
    return "" if value is None else str(value)


# The names and types of the columns, in the order of the page, are those that DuckDB detects.
columns = re.findall(r"^\| ((?:`[A-Z_]+` ?)+)\| ([A-Z ]+) \|", text, re.MULTILINE)
wanted = []
for names, types in columns:
    names = re.findall(r"[A-Z_]+", names)
    wanted += zip(names, types.split() if len(names) > 1 else [types], strict=True)
described = connection.sql("DESCRIBE FROM 'incident.csv'").fetchall()
check("columns", wanted, [(name, kind) for name, kind, *_ in described])


def block(match):
    query, result = match["query"], match["result"]
    found = connection.execute(query)
    if result is None:
        return match[0]
    found = table(found)
    if "--update" not in sys.argv:
        check(query, result, found)
    return match[0].replace(f"```text\n{result}```", f"```text\n{found}```")


blocks = r"```sql\n(?P<query>.*?)```(?:\n\n```text\n(?P<result>.*?)```)?"
updated = re.sub(blocks, block, text, flags=re.DOTALL)
if "--update" in sys.argv:
    page.write_text(updated, encoding="utf-8")
print(f"test result: {'FAILED' if failed else 'ok'}. {passed} passed; {failed} failed")
