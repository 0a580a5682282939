"""Random schemas, views and commands, made so that a view has one right answer.

Values come from small domains, so that rows meet; numerics have two digits behind the point and floats are quarters, so
that sums depend on no order; char(3) meets no text, so that what is equal is the same; where rows are cut off or numbered,
the order is one of all columns.
"""

import copy

FAMILIES = ["int", "int", "num", "text", "text", "char", "bool", "date", "ts", "dbl", "uuid"]
TYPES = {"int": ["smallint", "integer", "bigint"], "num": ["numeric(8,2)"], "text": ["text", "varchar(6)"],
         "char": ["char(3)"], "bool": ["boolean"], "date": ["date"], "ts": ["timestamp", "timestamptz"],
         "dbl": ["double precision", "real"], "uuid": ["uuid"]}
VALUES = {"int": ["0", "1", "2", "3", "4", "-1"], "num": ["0.00", "1.50", "2.00", "-3.25", "10.10"],
          "text": ["''", "'a'", "'b'", "'ab'", "'B'", "'é'"], "char": ["''", "'a'", "'ab'", "'B'"],
          "bool": ["true", "false"],
          "date": ["'2024-01-01'", "'2024-02-29'", "'1999-12-31'"],
          "ts": ["'2024-01-01 00:00'", "'2024-02-29 12:30:00.5'", "'1999-12-31 23:59'"],
          "dbl": ["0", "0.25", "-1.5", "8"],
          "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'00000000-0000-0000-0000-000000000001'"]}
# Now and then in the place of one of those.
RARE = {"num": ["'NaN'"], "dbl": ["'NaN'", "'Infinity'", "'-Infinity'"], "date": ["'infinity'", "'0044-03-15 BC'"],
        "ts": ["'-infinity'", "'infinity'"], "text": ["'%_\\'", "'日本'"], "int": ["1000", "-1000"]}
# How a constant of the family is written so that its type is no question.
LITERAL = {"int": "%s", "num": "%s", "text": "text %s", "char": "CAST(%s AS char(3))", "bool": "%s",
           "date": "date %s", "ts": "timestamp %s", "dbl": "double precision '%s'", "uuid": "uuid %s"}
NULL_TYPE = {"int": "integer", "num": "numeric", "text": "text", "char": "char(3)", "bool": "boolean",
             "date": "date", "ts": "timestamp", "dbl": "double precision", "uuid": "uuid", "frac": "numeric"}
ORDERED = ["int", "num", "text", "char", "date", "ts", "dbl"]
FORMS = {
    "int": ["({int} + {int})", "({int} - 1)", "(- {int})", "abs({int})", "length({text})", "({int} * 2)",
            "({int} % nullif({int}, 0))", "CAST({bool} AS integer)"],
    "num": ["({num} + {num})", "({num} * 2)", "(- {num})", "abs({num})"],
    "text": ["upper({text})", "({text} || {text})", "substr({text}, 1, 2)", "CAST({int} AS text)", "lower({text})",
             "({char} || {text})", "CAST({char} AS text)", "rpad({text}, 2, '.')"],
    "char": [], "bool": [], "date": ["({date} + 1)", "CAST({ts} AS date)"],
    "ts": ["date_trunc('month', {ts})", "({ts} + interval '1 day')"],
    "dbl": ["({dbl} + 0.5)", "({dbl} * 2)"], "uuid": [], "frac": []}
GENERIC = ["coalesce({x}, {x})", "CASE WHEN {bool} THEN {x} ELSE {x} END", "nullif({x}, {x})",
           "CASE WHEN {bool} THEN {x} END"]
GENERIC_ORDERED = ["greatest({x}, {x})", "least({x}, {x})"]


# Of rows in a total order.
FRAMES = ["", " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
          " ROWS 2 PRECEDING", " ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING", " ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING",
          " ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW", " GROUPS BETWEEN 1 PRECEDING AND 2 FOLLOWING"]
# Of peers, for what takes all of them alike; %s: an offset of the key's family.
PEER_FRAMES = ["", "", " GROUPS 1 PRECEDING", " GROUPS BETWEEN 1 FOLLOWING AND 2 FOLLOWING EXCLUDE TIES",
               " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP"]
RANGE_FRAMES = [" RANGE %s PRECEDING", " RANGE BETWEEN %s PRECEDING AND %s FOLLOWING",
                " RANGE BETWEEN %s FOLLOWING AND UNBOUNDED FOLLOWING EXCLUDE TIES",
                " RANGE BETWEEN %s PRECEDING AND %s PRECEDING"]
RANGE_OFFSETS = {"int": ["0", "1", "3"], "num": ["0.5", "2"], "dbl": ["0.25", "9"], "date": ["'1 day'", "'2 months'"],
                 "ts": ["'12 hours'", "'1 month 3 days'"]}


class Node:
    """A piece of SQL: parts are texts and Nodes. instead: smaller pieces that may stand in its place, for shrinking.
    key: of a query, the columns that its rows differ in, (): not known."""

    def __init__(self, *parts, instead=()):
        self.parts, self.instead, self.key = list(parts), list(instead), ()

    def sql(self):
        return "".join(p if isinstance(p, str) else p.sql() for p in self.parts)

    def nodes(self):
        yield self
        for p in self.parts:
            if isinstance(p, Node):
                yield from p.nodes()


class Relation:
    """index: CREATE INDEX of it, or None. reads: (query, whether its order is total) each, of all columns, which may
    use it."""

    def __init__(self, name):
        self.name, self.index, self.reads = name, None, []


class Table(Relation):
    """columns: (name, family, type) each. keyed: it has a primary key, id."""

    def __init__(self, name, columns, keyed):
        super().__init__(name)
        self.columns, self.keyed = columns, keyed

    def sql(self):
        key = " PRIMARY KEY" if self.keyed else ""
        return "CREATE TABLE %s (%s)" % (self.name, ", ".join(
            "%s %s%s" % (name, kind, key if name == "id" else "") for name, _, kind in self.columns))


class View(Relation):
    """families: of its columns c0, c1, … key: those that its rows differ in, (): not known."""

    def __init__(self, name, node, families, key):
        super().__init__(name)
        self.node, self.families, self.key = node, families, key

    def create(self, what):
        return "CREATE %s %s AS %s" % (what, self.name, self.node.sql())


class Column:
    """What an expression can name: text as it is written there, and family."""

    def __init__(self, text, family):
        self.text, self.family = text, family


class Maker:
    """Everything of one round comes out of one Random."""

    def __init__(self, rng):
        self.random = rng
        self.aliases = 0
        self.tables, self.views, self.ctes, self.joins = [], [], [], []
        self.most_keys = 30 if self.chance(0.08) else 9

    def pick(self, items):
        return items[self.random.randrange(len(items))]

    def chance(self, share):
        return self.random.random() < share

    def alias(self):
        self.aliases += 1
        return "s%d" % self.aliases

    # Tables and commands

    def make_tables(self):
        for i in range(self.random.randint(2, 4)):
            columns = [("id", "int", self.pick(["integer", "bigint"])), ("k", "int", self.pick(TYPES["int"]))]
            for j in range(self.random.randint(1, 4)):
                family = self.pick(FAMILIES)
                columns.append(("%s%d" % ("abcd"[i], j), family, self.pick(TYPES[family])))
            table = Table("t%d" % i, columns, self.chance(0.85))
            self.add_reads(table, [(n, f) for n, f, _ in columns])
            self.tables.append(table)

    def value(self, family):
        if self.chance(0.15):
            return "NULL"
        return self.pick(RARE[family] if family in RARE and self.chance(0.03) else VALUES[family])

    def row(self, table, key):
        return "(%s)" % ", ".join([str(key)] + [self.value(f) for _, f, _ in table.columns[1:]])

    def some_rows(self, table):
        """A condition that some rows of the table meet."""
        name, family, _ = self.pick(table.columns[1:])
        key = self.random.randint(1, self.most_keys)
        return self.pick(["id = %d" % key, "id = %d" % key, "id > %d" % max(key, self.most_keys // 3),
                          "%s = %s" % (name, self.pick(VALUES[family])),
                          "%s IS NULL" % name])

    def assignments(self, table):
        columns = table.columns[1:]
        chosen = self.random.sample(columns, self.random.randint(1, min(2, len(columns))))
        return ", ".join("%s = %s" % (n, self.assigned(n, f)) for n, f, _ in chosen)

    def assigned(self, name, family):
        forms = {"int": ["%s %% 7 + 1", "- (%s %% 7)"], "num": ["%s * 0.5"], "text": ["substr(%s || 'a', 2)"],
                 "bool": ["NOT %s"], "date": ["%s - 1"], "dbl": ["%s + 0.25"]}
        if family in forms and self.chance(0.2):
            return self.pick(forms[family]) % name
        return self.value(family)

    def conflict(self, table):
        name, family, _ = self.pick(table.columns[1:])
        where = " WHERE %s.%s IS NULL" % (table.name, self.pick(table.columns[1:])[0]) if self.chance(0.3) else ""
        return "%s = %s%s" % (name, self.value(family), where)

    def command(self):
        table = self.pick(self.tables)
        kind = self.random.randrange(11)
        if kind < 5:
            keys = self.random.sample(range(1, self.most_keys + 1), self.random.randint(1, self.most_keys // 2))
            end = ""
            if table.keyed:
                name = self.pick(table.columns[1:])[0]
                end = self.pick([" ON CONFLICT (id) DO NOTHING",
                                 " ON CONFLICT (id) DO UPDATE SET %s = excluded.%s" % (name, name),
                                 " ON CONFLICT (id) DO UPDATE SET " + self.conflict(table)])
                if self.chance(0.1):
                    keys, end = keys[:1], ""  # may meet a row: an error, of one aggregate
            return "INSERT INTO %s VALUES %s%s" % (table.name, ", ".join(self.row(table, k) for k in keys), end)
        if kind < 8:
            return "UPDATE %s SET %s WHERE %s" % (table.name, self.assignments(table), self.some_rows(table))
        if kind == 10 and self.chance(0.1):
            return "DELETE FROM %s" % table.name
        return "DELETE FROM %s WHERE %s" % (table.name, self.some_rows(table))

    # Expressions

    def literal(self, family):
        if family == "frac" or self.chance(0.1):
            return Node("NULL::" + NULL_TYPE[family])
        return Node(self.literal_of(family))

    def literal_of(self, family):
        return LITERAL[family] % self.pick(VALUES[family]).strip("'" if family == "dbl" else "")

    def leaf(self, scope, family):
        found = [c for c in scope if c.family == family]
        if found and not self.chance(0.1):
            return Node(self.pick(found).text)
        return self.literal(family)

    def expression(self, scope, family, depth=2):
        if depth <= 0 or family == "frac" or self.chance(0.55):
            return self.leaf(scope, family)
        if family == "bool":
            return self.predicate(scope, depth - 1)
        forms = FORMS[family] + GENERIC + (GENERIC_ORDERED if family in ORDERED else [])
        return self.form(self.pick(forms).replace("{x}", "{%s}" % family), scope, depth - 1, family)

    def form(self, text, scope, depth, family):
        """A text with {family} for expressions; each of the own family may stand in its place."""
        parts, inner = [], []
        for piece in text.replace("}", "{").split("{"):
            if piece in NULL_TYPE:
                parts.append(self.expression(scope, piece, depth))
                inner += [parts[-1]] if piece == family else []
            else:
                parts.append(piece)
        return Node(*parts, instead=inner)

    def predicate(self, scope, depth=1, level=0):
        kind = self.random.randrange(12)
        family = self.pick(scope).family if scope else "int"
        if family == "frac":
            family = "int"
        x = self.expression(scope, family, depth)
        if kind < 3 and family in ORDERED:
            return Node("(", x, self.pick([" = ", " < ", " >= ", " <> "]), self.expression(scope, family, depth), ")")
        if kind == 3:
            return Node("(", x, self.pick([" IS NULL", " IS NOT NULL"]), ")")
        if kind == 4 and depth > 0:
            a, b = self.predicate(scope, depth - 1, level), self.predicate(scope, depth - 1, level)
            return Node("(", a, self.pick([" AND ", " OR "]), b, ")", instead=[a, b])
        if kind == 5 and depth > 0:
            a = self.predicate(scope, depth - 1, level)
            return Node("(NOT ", a, ")", instead=[a])
        if kind == 6:
            return Node("(", x, self.pick([" IN (", " NOT IN ("]), self.literal(family), ", ", self.literal(family), "))")
        if kind == 7:
            return Node("(", x, self.pick([" IS DISTINCT FROM ", " IS NOT DISTINCT FROM "]),
                        self.expression(scope, family, depth), ")")
        if kind >= 8 and level > 0:
            return self.subquery_predicate(scope, level - 1)
        return Node("(", x, self.pick([" = ", " <> "]), self.literal(family), ")")

    def subquery_predicate(self, outer, level):
        source, scope = self.source(level)
        kind = self.random.randrange(6)
        where = self.correlation(scope, outer)
        if kind == 5:
            family = self.pick(outer).family
            sign = self.pick(["= ANY", "<> ALL", "= ANY", "< ANY", ">= ALL"] if family in ORDERED else ["= ANY", "<> ALL"])
            where = where if self.chance(0.4) else Node("")
            return Node("(", self.leaf(outer, family), " %s (SELECT " % sign, self.leaf(scope, family), " FROM ",
                        source, where, "))")
        if kind < 2:
            return Node(self.pick(["EXISTS", "NOT EXISTS"]), " (SELECT 1 FROM ", source, where, ")")
        family = self.pick(outer).family
        if kind < 4 or family not in ORDERED:
            where = where if self.chance(0.4) else Node("")
            return Node("(", self.leaf(outer, family), self.pick([" IN ", " NOT IN "]), "(SELECT ",
                        self.leaf(scope, family), " FROM ", source, where, "))")
        if self.chance(0.15):
            other = self.pick(ORDERED)
            row = Node("(", self.leaf(outer, family), ", ", self.leaf(outer, other), ")")
            return Node("(", row, self.pick([" IN ", " NOT IN "]), "(SELECT ", self.leaf(scope, family), ", ",
                        self.leaf(scope, other), " FROM ", source, "))")
        return Node("(", self.leaf(outer, family), self.pick([" = ", " < ", " >= "]),
                    self.scalar(scope, family, source, where), ")")

    def scalar(self, scope, family, source, where):
        if family == "int" and self.chance(0.3):
            return Node("(SELECT count(*) FROM ", source, where, ")")
        return Node("(SELECT ", self.pick(["min", "max"]), "(", self.leaf(scope, family), ") FROM ", source, where, ")")

    def correlation(self, scope, outer):
        """WHERE of a subquery, mostly by an equality with what is outside."""
        pairs = [(a, b) for a in scope for b in outer if a.family == b.family and a.family != "frac"]
        parts = []
        if pairs and self.chance(0.85):
            a, b = self.pick(pairs)
            parts.append(Node("%s = %s" % (a.text, b.text)))
        if not parts or self.chance(0.3):
            parts.append(self.predicate(scope if self.chance(0.7) else scope + outer))
        return Node(" WHERE ", self.joined(parts, " AND "), instead=[Node("")])

    def joined(self, parts, between):
        node = parts[0]
        for p in parts[1:]:
            node = Node(node, between, p, instead=[node, p])
        return node

    # What stands in FROM

    def source(self, level):
        """(Node, scope) of a table, view, common table expression or subquery."""
        name = self.alias()
        if level > 0 and self.chance(0.4):
            node, families = self.query(level - 1)
            return Node("(", node, ") AS ", name), columns_of(name, families)
        if self.ctes and self.chance(0.7):
            cte, families = self.pick(self.ctes)
            return Node(cte, " AS ", name), columns_of(name, families)
        if self.views and self.chance(0.15):
            view = self.pick(self.views)
            return Node(view.name, " AS ", name), columns_of(name, view.families)
        table = self.pick(self.tables)
        return Node(table.name, " AS ", name), [Column("%s.%s" % (name, n), f) for n, f, _ in table.columns]

    def condition(self, left, right, equal):
        """What stands behind ON."""
        pairs = [(a, b) for a in left for b in right if a.family == b.family and a.family != "frac"]
        parts = []
        if pairs and (equal or self.chance(0.85)):
            a, b = self.pick(pairs)
            parts.append(Node("%s = %s" % (a.text, b.text)))
            if self.chance(0.15):
                a, b = self.pick(pairs)
                parts.append(Node("%s = %s" % (a.text, b.text)))
        if not parts or self.chance(0.2):
            parts.append(self.predicate(self.pick([left, right, left + right])))
        return self.joined(parts, " AND ")

    def join(self, left, left_scope, right, right_scope):
        kind = self.pick(["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"])
        scope = left_scope + right_scope
        if kind == "CROSS JOIN":
            return Node(left, " CROSS JOIN ", right, instead=[left, right]), scope
        equal = kind == "FULL JOIN"
        if equal and not any(a.family == b.family != "frac" for a in left_scope for b in right_scope):
            kind = "LEFT JOIN"
        on = self.condition(left_scope, right_scope, equal)
        return Node(left, Node(" %s " % kind, instead=[Node(" JOIN ")]), right, " ON ", on, instead=[left, right]), scope

    def merged_join(self):
        """USING or NATURAL, of two tables: id and k are in all of them."""
        a, b = self.pick(self.tables), self.pick(self.tables)
        left, right = self.alias(), self.alias()
        kind = self.pick(["", "", "LEFT ", "RIGHT ", "FULL "])
        if a is not b and self.chance(0.4):
            merged, text = ["id", "k"], "%s AS %s NATURAL %sJOIN %s AS %s" % (a.name, left, kind, b.name, right)
        else:
            merged = self.pick([["k"], ["k"], ["id"], ["id", "k"]])
            text = "%s AS %s %sJOIN %s AS %s USING (%s)" % (a.name, left, kind, b.name, right, ", ".join(merged))
        scope = [Column(n, "int") for n in merged]
        for name, table in ((left, a), (right, b)):
            scope += [Column("%s.%s" % (name, n), f) for n, f, _ in table.columns]
        return Node(text), scope

    def lateral(self, left, left_scope):
        """A join with a subquery that uses columns of what stands left of it."""
        source, scope = self.source(0)
        where, name = self.correlation(scope, left_scope), self.alias()
        if self.chance(0.5):
            columns = [self.aggregate(scope) for _ in range(self.random.randint(1, 2))]
        else:
            columns = [(self.expression(scope + left_scope, c.family), c.family)
                       for c in self.random.sample(scope, min(2, len(scope)))]
        inner = Node("(SELECT ", self.items([e for e, _ in columns]), " FROM ", source, where, ") AS ", name)
        kind, end = self.pick([(" CROSS JOIN LATERAL ", ""), (" LEFT JOIN LATERAL ", " ON true"),
                               (" JOIN LATERAL ", " ON true")])
        return Node(left, kind, inner, end, instead=[left]), left_scope + columns_of(name, [f for _, f in columns])

    def sources(self, level, most):
        """FROM's (Node, scope)."""
        if self.chance(0.12):
            return self.merged_join()
        node, scope = self.source(level)
        for _ in range(self.pick([0, 0, 1, 1, 1, 2][:most * 2 + 1])):
            if level > 0 and self.chance(0.15):
                node, scope = self.lateral(node, scope)
                continue
            other, other_scope = self.source(level)
            if self.chance(0.2):
                third, third_scope = self.source(0)
                other, other_scope = self.join(other, other_scope, third, third_scope)
                other = Node("(", other, ")")
            node, scope = self.join(node, scope, other, other_scope)
        return node, scope

    def sources_again(self, level):
        """FROM's and WHERE's (Node, scope, Node): now and then those of an earlier select, since views share what they join."""
        if self.joins and self.chance(0.25):
            source, scope, where = self.pick(self.joins)
            return copy.deepcopy(source), scope, copy.deepcopy(where)
        source, scope = self.sources(level, 2)
        where = self.where(scope, level)
        if not self.ctes:
            self.joins.append((source, scope, where))
        return copy.deepcopy(source), scope, copy.deepcopy(where)

    def where(self, scope, level):
        if self.chance(0.5):
            return Node("")
        parts = [self.predicate(scope, 1, level) for _ in range(self.pick([1, 1, 2]))]
        return Node(" WHERE ", self.joined(parts, " AND "), instead=[Node("")])

    # Queries: (Node, families); their columns are c0, c1, …

    def items(self, expressions):
        return Node(*[Node(", " if i else "", e, " AS c%d" % i, instead=[Node("")] if i else ())
                      for i, e in enumerate(expressions)])

    def plain(self, level, families=None):
        source, scope, where = self.sources_again(level)
        families = families or [self.pick(scope).family for _ in range(self.random.randint(1, 4))]
        expressions = [self.expression(scope, f) for f in families]
        if level > 0 and self.chance(0.12):
            i = self.random.randrange(len(families))
            if families[i] in ORDERED:
                inner, inner_scope = self.source(0)
                expressions[i] = self.scalar(inner_scope, families[i], inner, self.correlation(inner_scope, scope))
        distinct = Node("DISTINCT ", instead=[Node("")]) if self.chance(0.15) else ""
        return Node("SELECT ", distinct, self.items(expressions), " FROM ", source, where), families

    def aggregate(self, scope):
        """(Node, family)"""
        kind = self.pick(["count*", "count", "sum", "min", "max", "avg", "distinct", "bool", "string"] * 2 +
                         ["count*", "count*", "sum", "sum", "spread", "bits", "array",
                          "ordered", "pairs"])
        filtered = Node(" FILTER (WHERE ", self.predicate(scope), ")", instead=[Node("")]) if self.chance(0.15) else ""
        if kind == "count*":
            return Node("count(*)", filtered), "int"
        if kind in ("count", "distinct"):
            word = "DISTINCT " if kind == "distinct" else ""
            return Node("count(", word, self.leaf(scope, self.pick(scope).family), ")", filtered), "int"
        if kind == "spread":
            return self.one_form(Node(self.pick(["stddev", "variance", "var_pop", "stddev_pop"]), "(",
                                      self.expression(scope, self.pick(["int", "num"]), 1), ")", filtered))
        if kind == "bits":
            return Node(self.pick(["bit_and", "bit_or"]), "(", self.leaf(scope, "int"), ")", filtered), "int"
        if kind == "bool":
            return Node(self.pick(["bool_and", "bool_or", "every"]), "(", self.predicate(scope), ")", filtered), "bool"
        if kind == "ordered":
            call, families = self.pick([("mode()", ORDERED), ("percentile_disc(%s)", ORDERED),
                                        ("percentile_cont(%s)", ["int", "num", "dbl"])])
            family = self.pick(families)
            call = call % self.pick(["0", "0.25", "0.5", "0.9", "1"]) if "%" in call else call
            return (Node(call, " WITHIN GROUP (ORDER BY ", self.expression(scope, family, 1), self.pick(["", " DESC"]),
                         ")", filtered), "frac" if families != ORDERED else family)
        if kind == "pairs":
            call = self.pick(["corr", "covar_pop", "covar_samp", "regr_avgx", "regr_slope", "regr_intercept", "regr_r2"])
            return Node("round(CAST(", call, "(", self.expression(scope, "int", 1), ", ", self.expression(scope, "int", 1),
                        ")", filtered, " AS numeric), 6)"), "frac"
        if kind == "array":
            x = self.expression(scope, self.pick(ORDERED), 1)
            return Node("CAST(array_agg(", self.pick(["", "DISTINCT "]), x, " ORDER BY ", x,
                        self.pick(["", " DESC", " NULLS FIRST"]), ")", filtered, " AS text)"), "text"
        if kind == "string":
            x = self.expression(scope, "text", 0)
            return Node("string_agg(", x, "::text, ',' ORDER BY ", x, "::text)", filtered), "text"
        family = self.pick(["int", "int", "num", "dbl"] if kind in ("sum", "avg") else ORDERED)
        x = self.expression(scope, family, 1)
        if kind == "sum" and family == "int":
            return Node("CAST(sum(", x, ")", filtered, " AS bigint)"), family
        word = "DISTINCT " if kind in ("sum", "avg") and self.chance(0.15) else ""
        call = Node(kind, "(", word, x, ")", filtered)
        if kind == "avg" and family != "dbl":
            return self.one_form(call)
        return call, "frac" if kind == "avg" else family

    def one_form(self, call):
        """Of a numeric whose digits depend on more than its value, so that of equal ones any might be kept."""
        return (Node("round(", call, ", 6)"), "frac") if self.chance(0.6) else (Node("CAST(", call, " AS text)"), "text")

    def grouped(self, level):
        source, scope, where = self.sources_again(level)
        names = self.random.sample(scope, min(len(scope), self.pick([0, 1, 1, 1, 2])))
        keys = [self.expression(scope, c.family, 1) if self.chance(0.2) else Node(c.text) for c in names]
        aggregates = [self.aggregate(scope) for _ in range(self.random.randint(1, 3))]
        families = [c.family for c in names] + [f for _, f in aggregates]
        group, having = "", ""
        if keys:
            texts = [k.sql() for k in keys]
            form = self.pick([("", "")] * 10 + [("ROLLUP (", ")"), ("CUBE (", ")"), ("GROUPING SETS ((", "), ())"),
                                                ("GROUPING SETS ((", "), %s)" % texts[0])])
            group = Node(" GROUP BY ", form[0] + ", ".join(texts) + form[1])
            if form[0] and self.chance(0.4):
                aggregates.append((Node("grouping(%s)" % texts[-1]), "int"))
                families.append("int")
        if self.chance(0.25):
            having = Node(" HAVING ", self.pick(["count(*) > 1", "count(*) < 3", "count(%s) > 1" % scope[0].text]),
                          instead=[Node("")])
        node = Node("SELECT ", self.items(keys + [a for a, _ in aggregates]), " FROM ", source,
                    where, group, having)
        if isinstance(group, Node) and group.parts[1] == ", ".join(texts):
            node.key = tuple("c%d" % i for i in range(len(keys)))
        return node, families

    def set_operation(self, level):
        left, families = self.query(level - 1)
        right, _ = self.plain(level - 1, families)
        word = self.pick(["UNION ALL", "UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"])
        return Node("(", left, ") %s (" % word, right, ")", instead=[left, right]), families

    def total_order(self, name, families, first=()):
        """All columns, those of `first` before the others."""
        rest = [i for i in range(len(families)) if i not in first]
        self.random.shuffle(rest)
        words = ["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"]
        return ", ".join("%s.c%d%s" % (name, i, self.pick(words)) for i in list(first) + rest)

    def cut(self, level):
        """DISTINCT ON, or the first rows of an order."""
        inner, families = self.query(level - 1)
        name = self.alias()
        columns = ", ".join("%s.c%d" % (name, i) for i in range(len(families)))
        if self.chance(0.4):
            first = self.random.randrange(len(families))
            return Node("SELECT DISTINCT ON (%s.c%d) %s FROM (" % (name, first, columns), inner, ") AS %s ORDER BY %s" % (
                name, self.total_order(name, families, (first,))), instead=[inner]), families
        end = self.pick(["LIMIT 1", "LIMIT 3", "LIMIT 5", "LIMIT 2 OFFSET 1", "OFFSET 2"])
        return Node("SELECT %s FROM (" % columns, inner, ") AS %s ORDER BY %s %s" % (
            name, self.total_order(name, families), end), instead=[inner]), families

    def peer_frame(self, family):
        if family not in RANGE_OFFSETS or self.chance(0.5):
            return self.pick(PEER_FRAMES)
        frame = self.pick(RANGE_FRAMES)
        return frame % tuple(self.pick(RANGE_OFFSETS[family]) for _ in range(frame.count("%s")))

    def windowed(self, level):
        inner, families = self.query(level - 1)
        name = self.alias()
        scope = columns_of(name, families)
        c = self.pick(scope)
        kind = self.pick(["row_number()", "rank()", "dense_rank()", "count(*)", "lag({c})", "lead({c})", "first_value({c})",
                          "min({o})", "max({o})", "sum({n})", "last_value({c})", "nth_value({c}, 2)", "ntile(3)",
                          "cume_dist()", "percent_rank()", "lag({c}, 2, {c})"])
        ordered = [s for s in scope if s.family in ORDERED] or [Column("1", "int")]
        numbers = [s for s in scope if s.family in ("int", "num", "dbl")] or [Column("1", "int")]
        o, n = self.pick(ordered), self.pick(numbers)
        result = next((x.family for t, x in (("{c}", c), ("{o}", o), ("{n}", n)) if t in kind),
                      "frac" if kind in ("cume_dist()", "percent_rank()") else "int")
        call = kind.replace("{c}", c.text).replace("{o}", o.text).replace("{n}", n.text)
        partition = "PARTITION BY %s " % self.pick(scope).text if self.chance(0.8) else ""
        order, total = "ORDER BY " + self.total_order(name, families), True
        aggregate = kind[:3] in ("cou", "min", "max", "sum")
        if (aggregate or "rank" in kind) and self.chance(0.6):
            key = self.pick(scope)
            order, total = self.pick(["ORDER BY " + key.text + self.pick(["", " DESC", " NULLS FIRST"]), ""]), False
            if order and aggregate:
                order += self.peer_frame(key.family)
        if total and (aggregate or "_value" in kind):
            order += self.pick(FRAMES)
        filtered = ""
        if aggregate and self.chance(0.2):
            filtered = Node(" FILTER (WHERE ", self.predicate(scope), ")", instead=[Node("")])
        over = Node(call, filtered, " OVER (%s%s)" % (partition, order))
        if kind == "sum({n})" and n.family == "int":
            over = Node("CAST(", over, " AS bigint)")
        columns = [Node(s.text) for s in scope] + [over]
        return Node("SELECT ", self.items(columns), " FROM (", inner, ") AS ", name, instead=[inner]), families + [result]

    def with_query(self, level):
        node, families = self.query(level - 1)
        self.aliases += 1
        name = "w%d" % self.aliases
        columns = "" if self.chance(0.7) else "(%s)" % ", ".join("c%d" % i for i in range(len(families)))
        self.ctes.append((name, families))
        body, result = self.pick([self.plain, self.grouped])(level - 1)
        self.ctes.pop()
        if " %s AS " % name not in body.sql():  # errors of one that is not read are not seen yet: slt/ctes.slt
            return body, result
        return Node("WITH ", name, columns, " AS (", node, ") ", body, instead=[body]), result

    def query(self, level):
        if level <= 0:
            return self.grouped(0) if self.chance(0.3) else self.plain(0)
        kind = self.random.randrange(20)
        if kind < 6:
            return self.plain(level)
        if kind < 11:
            return self.grouped(level)
        return (self.set_operation, self.set_operation, self.set_operation, self.cut, self.cut, self.cut, self.windowed,
                self.windowed, self.with_query)[kind - 11](level)

    def repeated(self):
        """An earlier view's query once more, or something over it."""
        view = self.pick(self.views)
        node, name = copy.deepcopy(view.node), self.alias()
        if self.chance(0.3):
            return node, view.families
        scope = columns_of(name, view.families)
        aggregates = [self.aggregate(scope) for _ in range(2)]
        return (Node("SELECT ", self.items([a for a, _ in aggregates]), " FROM (", node, ") AS ", name),
                [f for _, f in aggregates])

    def make_view(self):
        """A view in three needs no nesting; one in six repeats one that is there."""
        if self.views and self.chance(0.17):
            node, families = self.repeated()
        else:
            node, families = self.query(self.pick([0, 0, 1, 1, 2, 2, 3]))
        view = View("v%d" % len(self.views), node, families, node.key)
        self.add_reads(view, [("c%d" % i, f) for i, f in enumerate(families)], view.key)
        self.views.append(view)
        return view

    # Indexes, and queries that may use them

    def add_reads(self, relation, columns, key=()):
        """columns: (name, family) each; key: names of those that an index may be unique by."""
        chosen = self.random.sample(columns, min(len(columns), self.pick([1, 1, 2])))
        ends = [self.pick(["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"]) for _ in chosen]
        kind = self.random.randrange(10)
        if key and kind < 5:
            chosen, ends = [c for c in columns if c[0] in key], [""] * len(key)
            relation.index = "CREATE UNIQUE INDEX ON %s (%s)" % (relation.name, ", ".join(key))
        elif kind < 2:
            relation.index = "CREATE INDEX ON %s USING hash (%s)" % (relation.name, chosen[0][0])
        elif kind < 6:
            parts = ", ".join(n + e for (n, _), e in zip(chosen, ends))
            relation.index = "CREATE INDEX ON %s (%s)" % (relation.name, parts)
        for _ in range(2 if relation.index else 1):
            relation.reads.append(self.read(relation.name, columns, chosen, ends))

    def read(self, name, columns, chosen, ends):
        where = self.conditions(chosen)
        sql = "SELECT * FROM " + name + (" WHERE " + " AND ".join(where) if where else "")
        if self.chance(0.3):
            return sql, False
        if self.chance(0.3):
            ends = [{"": " DESC", " DESC": "", " NULLS FIRST": " DESC NULLS LAST", " DESC NULLS LAST": " NULLS FIRST"}[e]
                    for e in ends]
        order = [n + e for (n, _), e in zip(chosen, ends)] + [n for n, f in columns if (n, f) not in chosen]
        return sql + " ORDER BY " + ", ".join(order) + self.pick(["", " LIMIT 1", " LIMIT 3", " LIMIT 2 OFFSET 1"]), True

    def conditions(self, chosen):
        """Of the first column an equality, a range of one end or of two, or nothing; then perhaps of the second."""
        where = []
        for column, family in chosen:
            if family not in LITERAL or family == "bool":
                break
            constant = lambda: self.literal_of(family)
            kind = self.random.randrange(4)
            if kind == 0 or family == "uuid":
                where.append("%s = %s" % (column, constant()))
            elif kind == 1:
                where.append("%s %s %s" % (column, self.pick(["<", "<=", ">", ">="]), constant()))
            elif kind == 2:
                where += ["%s >= %s" % (column, constant()), "%s < %s" % (column, constant())]
            if kind != 0:
                break
        return where


def columns_of(name, families):
    return [Column("%s.c%d" % (name, i), f) for i, f in enumerate(families)]
