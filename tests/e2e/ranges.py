"""Random queries over a table with ordered indexes, and changes of its rows, for run_semantics.py.

What a query gives is one thing only: it is ordered by all of its columns, or in no order, which the comparison undoes.
"""

COLUMNS = {
    "k": ("integer", ["%d" % n for n in range(-3, 6)]),
    "a": ("smallint", ["%d" % n for n in range(-2, 4)]),
    "b": ("text", ["''", "'a'", "'ab'", "'abc'", "'b'", "'a b'", "'A'", "'\u00fc'", "'a%'"]),
    "c": ("numeric(12,3)", ["0", "1", "-1.5", "1.001", "99999.125", "-0.001"]),
    "d": ("double precision", ["0", "1.5", "-2", "'NaN'", "'Infinity'", "'-Infinity'", "1e-300"]),
    "e": ("timestamp", ["'2024-01-0%d 12:00'" % n for n in range(1, 5)] + ["'infinity'", "'-infinity'"]),
    "f": ("char(3)", ["''", "'a'", "'ab'", "'abc'", "'b'"]),
    "g": ("bigint", ["1", "-1", "9000000000000000000", "-9000000000000000000", "70000"]),
}
INDEXES = ["k, a, b", "a DESC, c", "b, c DESC NULLS LAST", "c NULLS FIRST, g", "d DESC NULLS LAST, e", "e, d DESC, a",
           "f, g DESC", "g, k", "a, g, e", "b DESC, a DESC, k DESC", "c, a NULLS FIRST, d"]
OPERATORS = ["<", "<=", ">", ">=", "="]
PATTERNS = ["'a%'", "'ab%'", "'a_'", "'ab'", "'%'", "'b%c'", "'a\\%%'"]


class Ranges:
    def __init__(self, random):
        self.random = random

    def schema(self):
        """The index columns that a query of an index's order leaves open are of the key."""
        columns = ", ".join("%s %s%s" % (c, COLUMNS[c][0], " NOT NULL" if c in "kg" else "") for c in COLUMNS)
        return (["CREATE TABLE ranges (%s, n integer, PRIMARY KEY (k, n))" % columns] +
                ["CREATE INDEX ranges_%d ON ranges (%s)" % (i, x) for i, x in enumerate(INDEXES)])

    def value(self, column, null=0.0):
        if self.random.random() < null:
            return "NULL"
        return self.random.choice(COLUMNS[column][1])

    def change(self):
        r = self.random
        values = [self.value(c, 0 if c in "kg" else 0.15) for c in COLUMNS] + [str(r.randrange(40))]
        key = "k = %s AND n = %s" % (values[0], values[-1])
        if r.random() < 0.2:
            return "DELETE FROM ranges WHERE " + key
        return ("INSERT INTO ranges VALUES (%s) ON CONFLICT (k, n) DO UPDATE SET %s" %
                (", ".join(values), ", ".join("%s = excluded.%s" % (c, c) for c in "abcdefg")))

    def condition(self, column):
        r = self.random
        if r.random() < 0.2:
            return "%s BETWEEN %s AND %s" % (column, self.value(column, 0.05), self.value(column, 0.05))
        if column == "b" and r.random() < 0.3:
            return "b LIKE " + r.choice(PATTERNS)
        value = self.value(column, 0.05)
        if r.random() < 0.2:
            turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "="}
            return "%s %s %s" % (value, turned[r.choice(OPERATORS)], column)
        return "%s %s %s" % (column, r.choice(OPERATORS), value)

    def where(self, columns):
        """Equality of some first columns, then other conditions, or a comparison of rows."""
        r = self.random
        equal = r.randrange(len(columns))
        parts = ["%s = %s" % (c, self.value(c)) for c in columns[:equal]]
        if r.random() < 0.3:
            rest = columns[equal:] + ["k"]
            parts.append("(%s) %s (%s)" % (", ".join(rest), r.choice(OPERATORS + ["<>"]),
                                           ", ".join(self.value(c, 0.05) for c in rest)))
        elif r.random() < 0.9:
            parts.append(self.condition(columns[equal]))
        if r.random() < 0.3:
            parts.append(self.condition(r.choice(list(COLUMNS))))
        r.shuffle(parts)
        return " WHERE " + " AND ".join(parts) if parts else ""

    def order(self, index):
        """In an index's direction or the other one."""
        turned = self.random.random() < 0.5
        out = []
        for item in index.split(", "):
            descending = "DESC" in item
            first = "FIRST" in item or (descending and "LAST" not in item)
            out.append("%s %s NULLS %s" % (item[0], "DESC" if descending != turned else "ASC",
                                           "FIRST" if first != turned else "LAST"))
        return " ORDER BY " + ", ".join(out)

    def query(self):
        r = self.random
        index = r.choice(INDEXES)
        columns = [item[0] for item in index.split(", ")]
        where = self.where(columns)
        if r.random() < 0.4:
            return "SELECT * FROM ranges" + where
        limit = " LIMIT %d OFFSET %d" % (r.randrange(1, 15), r.randrange(8)) if r.random() < 0.6 else ""
        return "SELECT %s FROM ranges%s%s%s" % (", ".join(columns), where, self.order(index), limit)
