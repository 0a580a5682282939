"""Random expressions of PostgreSQL's SQL over a table with a column of every type.

Leaves are mostly columns: a subexpression of constants alone is computed by PostgreSQL when it plans, so
also in branches that are never reached. An expression need not be valid: which error it gives is
part of the comparison.
"""

COLUMNS = [("b", "boolean"), ("s", "smallint"), ("i", "integer"), ("l", "bigint"), ("r", "real"),
           ("d", "double precision"), ("n", "numeric"), ("m", "numeric(10,3)"), ("t", "text"),
           ("v", "varchar(8)"), ("c", "char(5)"), ("y", "bytea"), ("da", "date"),
           ("ts", "timestamp"), ("tz", "timestamptz"), ("u", "uuid"),
           ("i2", "integer"), ("n2", "numeric(12,2)"), ("t2", "text"), ("ts2", "timestamp"),
           ("iv", "interval")]

VALUES = {
    "boolean": ["true", "false"],
    "smallint": ["0", "1", "-7", "32767", "-32768", "12"],
    "integer": ["0", "1", "-1", "3", "42", "2147483647", "-2147483648", "100000", "2024"],
    "bigint": ["0", "5", "-12", "9223372036854775807", "-9223372036854775808", "10000000000"],
    "real": ["0", "1.5", "-2.25", "3.4e38", "'NaN'", "'Infinity'", "'-0'", "1e-40", "0.1", "16777217"],
    "double precision": ["0", "2.5", "-3.5", "1e308", "'NaN'", "'-Infinity'", "'-0'", "0.1", "1e15",
                         "123456789.125", "4.5"],
    "numeric": ["0", "1.5", "-2.50", "0.000", "12345678901234567890.123456789", "'NaN'", "3",
                "0.00000000000000000001", "99999", "-0.5", "2.5", "1000000"],
    "numeric(10,3)": ["0", "1.25", "-9999999.999", "0.001", "77", "2.5"],
    "numeric(12,2)": ["0", "19.99", "-0.01", "1000000", "3.30"],
    "text": ["''", "'a'", "'Abc def'", "'12'", "' 3.5 '", "'été'", "'2024-02-29'", "'%_x'", "'true'",
             "'日本語'", "'a\\b'", "'x  '", "'abcabc'"],
    "varchar(8)": ["''", "'b'", "'ab'", "'7'", "'Abc'", "'  x '", "'éé'"],
    "char(5)": ["''", "'a'", "'ab'", "'a b'", "'12'", "'abcde'"],
    "bytea": ["'\\x'", "'\\x00ff'", "'abc'", "'\\x616263'", "'\\\\001'"],
    "date": ["'2024-02-29'", "'1999-12-31'", "'2000-01-01'", "'0044-03-15 BC'", "'infinity'",
             "'1970-01-01'", "'2023-07-04'"],
    "timestamp": ["'2024-02-29 12:34:56.789'", "'1999-12-31 23:59:59.999999'", "'2000-01-01'",
                  "'-infinity'", "'0001-01-01 BC'", "'2023-07-04 01:00'"],
    "timestamptz": ["'2024-02-29 12:34:56+02'", "'2000-01-01 00:00Z'", "'infinity'",
                    "'1969-07-20 20:17:40-05'"],
    "interval": ["'0'", "'1 day'", "'-1 mon 3 days'", "'24:00:00'", "'1 year 2 mons 3 days 04:05:06.789'",
                 "'-00:00:00.5'", "'1000 hours'", "'30 days'"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
             "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
}

FAMILY = {"boolean": "bool", "smallint": "num", "integer": "num", "bigint": "num", "real": "num",
          "double precision": "num", "numeric": "num", "numeric(10,3)": "num",
          "numeric(12,2)": "num", "text": "text", "varchar(8)": "text", "char(5)": "text",
          "bytea": "bytea", "date": "time", "timestamp": "time", "timestamptz": "time",
          "uuid": "uuid", "interval": "span"}
CASTS = {"num": ["smallint", "integer", "bigint", "real", "double precision", "numeric",
                 "numeric(10,2)", "numeric(5,0)", "numeric(38,10)"],
         "text": ["text", "varchar(3)", "char(4)", "varchar", "char(2)"],
         "time": ["date", "timestamp", "timestamptz"],
         "bool": ["boolean"], "bytea": ["bytea"], "uuid": ["uuid"],
         "span": ["interval"]}
LITERALS = {"num": ["0", "1", "2", "-1", "10", "0.5", "2.50", "100", "3", "1e3"],
            "text": ["''", "'a'", "'b%'", "'_'", "'abc'", "'12'", "'A'", "' '"],
            "bool": ["true", "false"], "bytea": ["'\\x61'::bytea"],
            "time": ["'2024-01-31'::date", "'2020-02-29 10:00'::timestamp",
                     "'2020-02-29 10:00+00'::timestamptz"],
            "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid"],
            "span": ["interval '1 day'", "interval '-2 hours'", "interval '1 mon 1 day'"]}
PATTERNS = ["'a'", "'^a'", "'b$'", "'[a-c]+'", "'a.*c'", "'^.$'", "'(ab|bc)'", "'\\d+'", "'[^a-z]'", "'a{2}'",
            "'x?'", "'\\s'", "'[[:upper:]]'", "''", "'\\mb'", "'(?=b)'", "'a|b|'", "'['", "t", "'[^[:alpha:]]'"]
TIME_FORMATS = ["YYYY-MM-DD HH24:MI:SS.US", "Day, DDth Month YYYY", "IYYY-IW-ID", "FMDD.FMMM.YY Q",
                "Dy Mon J DDD", "HH12:MI AM", "Y,YYY BC CC", "W WW D", "MS FF2 SSSS"]
NUMBER_FORMATS = ["999", "FM999,990.00", "0000.0", "S99999.9", "999999999999.99PR", "FM9.999", "9G999G999D99",
                  "99999MI", "SG9999", "FM000"]
UNITS = ["year", "month", "day", "hour", "minute", "second", "dow", "doy", "week", "quarter",
         "epoch", "isoyear", "isodow", "century", "decade", "millennium", "milliseconds",
         "microseconds"]


class Expressions:
    def __init__(self, rng):
        self.random = rng

    def pick(self, items):
        return items[self.random.randrange(len(items))]

    def rows(self, count=24):
        rows = []
        for k in range(count):
            row = []
            for name, kind in COLUMNS:
                values = VALUES[kind]
                null = k == 0 or (k > 8 and self.random.random() < 0.12)
                row.append("NULL" if null else values[k % len(values)] if k < 13 and
                           name == kind[:1] else self.pick(values))
            rows.append(row)
        return rows

    def column(self, family):
        return self.pick([n for n, t in COLUMNS if FAMILY[t] == family])

    def leaf(self, family):
        return self.column(family)

    def literal(self, family):
        return "NULL" if self.random.random() < 0.05 else self.pick(LITERALS[family])

    def either(self, family, depth):
        """The second operand: may be constant."""
        if self.random.random() < 0.3:
            return self.literal(family)
        return self.of(family, depth - 1)

    def expression(self):
        family = self.pick(["num", "num", "num", "text", "text", "bool", "bool", "time", "any"])
        if family == "any":
            family = self.pick(list(LITERALS))
        if self.random.random() < 0.06:
            return self.wild()
        return self.of(family, self.random.randrange(1, 4))

    def wild(self):
        """Probably wrong: operands of any types."""
        a, b = self.pick(COLUMNS)[0], self.pick(COLUMNS)[0]
        form = self.pick(["%s + %s", "%s - %s", "%s * %s", "%s = %s", "%s || %s", "%s < %s",
                          "coalesce(%s, %s)", "%s / %s", "%s LIKE %s", "%s IN (%s)",
                          "CASE WHEN i > 0 THEN %s ELSE %s END", "nullif(%s, %s)",
                          "%s IS DISTINCT FROM %s", "round(%s, %s)", "substr(%s, %s)",
                          "power(%s, %s)", "mod(%s, %s)", "%s AND %s", "left(%s, %s)",
                          "greatest(%s, %s)", "%s BETWEEN %s AND i", "%s % %s", "%s ^ %s",
                          "concat(%s, %s)", "strpos(%s, %s)", "date_trunc(%s, %s)",
                          "%s ~ %s", "to_char(%s, %s)", "gcd(%s, %s)", "translate(%s, %s, t)",
                          "age(%s, %s)", "(%s, 1) < (%s, 2)", "repeat(%s, %s)", "format(%s, %s)"])
        return form.replace("%s", "{}").format(a, b)

    def of(self, family, depth):
        if depth <= 0:
            return self.leaf(family)
        r = self.random.random()
        if r < 0.12:
            return self.generic(family, depth)
        return getattr(self, "make_" + family)(depth)

    def generic(self, family, depth):
        """Forms that every type has."""
        x = lambda: self.of(family, depth - 1)
        kind = self.random.randrange(7)
        if kind == 0:
            return "CASE WHEN %s THEN %s ELSE %s END" % (self.of("bool", depth - 1), x(), x())
        if kind == 1:
            return "CASE WHEN %s THEN %s END" % (self.of("bool", depth - 1), x())
        if kind == 2:
            return "coalesce(%s, %s)" % (x(), self.either(family, depth))
        if kind == 3:
            return "nullif(%s, %s)" % (x(), self.either(family, depth))
        if kind == 4:
            return "%s(%s, %s)" % (self.pick(["greatest", "least"]), x(),
                                   self.either(family, depth))
        if kind == 5:
            return "CASE %s WHEN %s THEN %s ELSE %s END" % (
                self.column(family), self.either(family, depth), x(), x())
        return "CAST(%s AS %s)" % (x(), self.pick(CASTS[family]))

    def make_bool(self, depth):
        family = self.pick(["num", "num", "text", "time", "bool", "bytea", "uuid", "span"])
        x = lambda: self.of(family, depth - 1)
        kind = self.random.randrange(15)
        if kind < 3:
            return "(%s %s %s)" % (x(), self.pick(["=", "<>", "<", "<=", ">", ">=", "!="]),
                                   self.either(family, depth))
        if kind == 3:
            return "(%s %s %s)" % (self.of("bool", depth - 1), self.pick(["AND", "OR"]),
                                   self.of("bool", depth - 1))
        if kind == 4:
            return "(NOT %s)" % self.of("bool", depth - 1)
        if kind == 5:
            return "(%s IS %sNULL)" % (x(), self.pick(["", "NOT "]))
        if kind == 6:
            return "(%s IS %sDISTINCT FROM %s)" % (x(), self.pick(["", "NOT "]),
                                                   self.either(family, depth))
        if kind == 7:
            return "(%s %sIN (%s, %s))" % (x(), self.pick(["", "NOT "]), self.literal(family),
                                           self.either(family, depth))
        if kind == 8:
            return "(%s %sBETWEEN %s%s AND %s)" % (
                x(), self.pick(["", "NOT "]), self.pick(["", "SYMMETRIC "]), x(),
                self.either(family, depth))
        if kind == 9:
            return "(%s %s%s %s)" % (self.of("text", depth - 1), self.pick(["", "NOT "]),
                                     self.pick(["LIKE", "ILIKE"]),
                                     self.pick(["'%'", "'a%'", "'%b_'", "'_'", "'%a%b%'", "t", "v",
                                                "'a\\%'", "''", "'%\\'"]))
        if kind == 10:
            return "(%s IS %s%s)" % (self.of("bool", depth - 1), self.pick(["", "NOT "]),
                                     self.pick(["TRUE", "FALSE", "UNKNOWN"]))
        if kind == 11:
            return "(%s %s %s)" % (self.of("text", depth - 1), self.pick(["~", "~*", "!~", "!~*"]),
                                   self.pick(PATTERNS))
        if kind == 12:
            return "((%s, %s) %s (%s, %s))" % (
                x(), self.column("num"), self.pick(["=", "<>", "<", "<=", ">", ">="]),
                self.either(family, depth), self.column("num"))
        if kind == 13:
            return "(%s %s (ARRAY[%s, %s]))" % (x(), self.pick(["= ANY", "<> ALL", "< ANY", ">= ALL"]),
                                               self.leaf(family), self.either(family, depth))
        return "%s::boolean" % self.pick(["i", "t", "v", "b", "(i > 3)"])

    def make_num(self, depth):
        x = lambda: self.of("num", depth - 1)
        kind = self.random.randrange(17)
        if kind < 5:
            return "(%s %s %s)" % (x(), self.pick(["+", "-", "*", "/", "%"]),
                                   self.either("num", depth))
        if kind == 5:
            return "%s(%s)" % (self.pick(["abs", "ceil", "floor", "round", "trunc", "sign"]), x())
        if kind == 6:
            return "%s(%s, %s)" % (self.pick(["round", "trunc"]), self.pick(
                ["n", "m", "n2", "%s::numeric" % x()]), self.pick(["0", "1", "2", "-2", "5", "s"]))
        if kind == 7:
            return "(- %s)" % x()
        if kind == 8:
            return "%s(%s)" % (self.pick(["length", "octet_length", "char_length"]),
                               self.of("text", depth - 1))
        if kind == 9:
            return "extract(%s FROM %s)" % (self.pick(UNITS), self.of("time", depth - 1))
        if kind == 10:
            return "(%s)::%s" % (x(), self.pick(CASTS["num"]))
        if kind == 11:
            return "%s::%s" % (self.pick(["t", "v", "c", "b"]), self.pick(CASTS["num"]))
        if kind == 12:
            return self.pick(["mod(%s, %s)", "power(%s, %s)", "(%s ^ %s)"]) % (
                x(), self.pick(["2", "3", "i2", "m", "0.5", "-1"]))
        if kind == 13:
            return "%s(%s)" % (self.pick(["sin", "cos", "tan", "atan", "degrees", "radians", "tanh", "asinh",
                                          "asin", "scale", "min_scale", "trim_scale", "factorial"]), x())
        if kind == 14:
            return self.pick(["gcd(%s, %s)", "lcm(%s, %s)", "atan2(%s, %s)", "width_bucket(%s, %s, 10, 5)",
                              "(%s & %s)", "(%s | %s)", "(%s # %s)"]) % (x(), self.either("num", depth))
        if kind == 15:
            return self.pick(["extract(epoch from iv)", "regexp_count(t, 'a')", "extract(day from (ts - ts2))",
                              "(extract(hour from iv) + i)", "length(regexp_replace(t, '[a-c]', '', 'g'))"])
        return self.pick(["sqrt(%s)", "(da - %s::date)", "strpos(t, v)", "date_part('year', ts)",
                          "position(v in t)", "ln(%s)", "exp(%s)"]).replace("%s", x(), 1) \
            if self.random.random() < 0.6 else "sqrt(abs(%s))" % x()

    def make_text(self, depth):
        x = lambda: self.of("text", depth - 1)
        kind = self.random.randrange(16)
        if kind < 2:
            return "(%s || %s)" % (x(), self.either("text", depth))
        if kind == 2:
            return "%s(%s)" % (self.pick(["lower", "upper", "trim", "ltrim", "rtrim"]), x())
        if kind == 3:
            return "substr(%s, %s)" % (x(), self.pick(["1", "2", "i", "s", "-1, 3", "2, 2",
                                                       "2, -1", "1, i"]))
        if kind == 4:
            # PostgreSQL's releases differ in right() of the least integer.
            return "%s(%s, %s)" % (self.pick(["left", "right"]), x(),
                                   self.pick(["1", "2", "-1", "0", "greatest(i, -2147483647)"]))
        if kind == 5:
            return "replace(%s, %s, %s)" % (x(), self.literal("text"), self.either("text", depth))
        if kind == 6:
            other = self.pick(["num", "bool", "time", "bytea", "uuid", "num", "span"])
            return "(%s)::%s" % (self.of(other, depth - 1), self.pick(["text", "text", "varchar",
                                                                       "varchar(6)", "char(6)"]))
        if kind == 7:
            return "(%s)::%s" % (x(), self.pick(CASTS["text"]))
        if kind == 8:
            return "(%s || %s)" % (self.of(self.pick(["num", "bool", "time"]), depth - 1), x())
        if kind == 9:
            return "concat(%s, %s, %s)" % (x(), self.leaf(self.pick(list(LITERALS))), "'-'")
        if kind == 10:
            return "translate(%s, %s, %s)" % (x(), self.pick(["'abc'", "'éa '", "v"]), self.pick(["'xy'", "''", "v"]))
        if kind == 11:
            return "to_char(%s, '%s')" % (self.of("time", depth - 1), self.pick(TIME_FORMATS))
        if kind == 12:
            return "to_char(%s, '%s')" % (self.of("num", depth - 1), self.pick(NUMBER_FORMATS))
        if kind == 13:
            return "regexp_replace(%s, %s, %s%s)" % (
                x(), self.pick(["'[a-c]'", "'a*'", "'b.'", "'(.)b'", "'\\s+'", "'^.'", "'$'"]),
                self.pick(["''", "'<\\&>'", "'-'", "v"]), self.pick(["", ", 'g'", ", 'gi'"]))
        if kind == 14:
            return self.pick(["md5(%s)", "overlay(%s placing 'xy' from 2 for 1)", "reverse(%s)", "quote_literal(%s)",
                              "repeat(%s, 2)", "lpad(%s, 7, '*')", "split_part(%s, 'b', 1)", "initcap(%s)",
                              "substring(%s from 'b.')", "encode(%s::bytea, 'base64')",
                              "format('%%s-%%L', %s, i)", "concat_ws(',', %s, i, b)"]) % x()
        return "substring(%s from %s for %s)" % (x(), self.pick(["1", "2", "0"]),
                                                self.pick(["1", "3", "s"]))

    def make_time(self, depth):
        x = lambda: self.of("time", depth - 1)
        kind = self.random.randrange(9)
        if kind == 0:
            return "date_trunc('%s', %s)" % (self.pick(UNITS[:6] + ["quarter", "week", "century",
                                                                    "decade"]), x())
        if kind == 1:
            return "(%s)::%s" % (x(), self.pick(CASTS["time"]))
        if kind == 2:
            return "(%s %s interval '%s')" % (x(), self.pick(["+", "-"]), self.pick(
                ["1 day", "1 month", "1 year 2 months 3 days 04:05:06.7", "-3 hours", "100 years",
                 "15 days ago", "1.5 hours"]))
        if kind == 3:
            return "(da %s %s)" % (self.pick(["+", "-"]), self.pick(["1", "s", "i", "366"]))
        if kind == 4:
            return "(ts - %s)" % self.pick(["ts2", "da", "tz", "'2000-01-01'", "interval '1 day'"])
        if kind == 5:
            return "%s::%s" % (self.pick(["t", "v"]), self.pick(CASTS["time"]))
        if kind == 6:
            return self.pick(["make_date(2024, s, 3)", "date_bin('7 days', ts, '2000-01-01')", "to_timestamp(d)",
                              "to_timestamp(i)", "make_timestamp(2020, 2, 3, s, 4, 5.5)",
                              "date_bin('90 minutes', %s::timestamp, '2001-01-01 00:10')" % x()])
        if kind == 7:
            return "(%s %s %s)" % (x(), self.pick(["+", "-"]), self.of("span", depth - 1))
        return self.leaf("time")

    def make_span(self, depth):
        x = lambda: self.of("span", depth - 1)
        kind = self.random.randrange(6)
        if kind == 0:
            return "(%s %s %s)" % (x(), self.pick(["+", "-"]), self.either("span", depth))
        if kind == 1:
            return "(%s * %s)" % (x(), self.pick(["2", "0.5", "-1", "s", "1.25"]))
        if kind == 2:
            return "justify_%s(%s)" % (self.pick(["days", "hours", "interval"]), x())
        if kind == 3:
            return self.pick(["age(nullif(ts, '-infinity'), nullif(ts2, '-infinity'))", "(ts - ts2)", "make_interval(days => s)",
                              "make_interval(1, 2, 3, 4, s)", "(tz - '2000-01-01')"])
        if kind == 4:
            return "date_trunc('%s', %s)" % (self.pick(["year", "month", "day", "hour", "second"]), x())
        return "(%s / %s)" % (x(), self.pick(["2", "3", "0.7"]))

    def make_bytea(self, depth):
        if self.random.random() < 0.5:
            return "(%s || %s)" % (self.of("bytea", depth - 1), self.either("bytea", depth))
        return self.pick(["y", "t::bytea", "('\\x' || '61')::bytea"])

    def make_uuid(self, depth):
        return self.pick(["u", "u", "u::text::uuid", "t::uuid"])
